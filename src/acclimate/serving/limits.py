"""What a server takes on: sizes, counts and times, all of them bounded."""

from pydantic import Field

from acclimate.settings import Settings

MIB = 1 << 20
HEAD_BYTES = 1 << 14  # of a request's line and headers


class Limits(Settings):
    """Bounds of requests and of what waits; beyond them a request is refused with the reason."""

    body: int = Field(2 * MIB, ge=1)
    """Bytes of one request's body."""
    texts: int = Field(256, ge=1)
    """Texts, or pairs, of one request."""
    characters: int = Field(100_000, ge=1)
    """Of one text; of a pair, of both together."""
    seconds: float = Field(30.0, gt=0, le=86_400)
    """From a whole request to its answer; what takes longer is given up."""
    arrival: float = Field(10.0, gt=0, le=86_400)
    """Seconds in which a request has to arrive, from its first byte to its last."""
    waiting: int = Field(256, ge=1)
    """Requests that are being answered or wait for it; further ones are told to come again."""
    held: int = Field(64 * MIB, ge=1)
    """Bytes of the bodies of all requests that are being read or wait."""
    connections: int = Field(512, ge=1, le=10_000)
    """Open connections."""
    pass_texts: int = Field(256, ge=1)
    """Texts that go through the model together, of whatever requests."""
    pass_characters: int = Field(1 << 17, ge=1)
    """And their characters, unless a single text has more."""
