"""The rows of the benchmark, a file for one or for a few that belong together; `ROWS` has them in the order of the table."""

from bench.measure import Row
from bench.rows import (
    cluster,
    ddp,
    decoders,
    distill,
    encode,
    finetune,
    kernels,
    looks,
    memory,
    mlm,
    replay,
    resume,
    scaling,
    serve,
    study,
    tokenise,
    vectors,
    vocabulary,
)

ROWS: dict[str, Row] = {
    row.name: row
    for module in (
        mlm,
        finetune,
        distill,
        vectors,
        decoders,
        encode,
        tokenise,
        vocabulary,
        memory,
        resume,
        scaling,
        study,
        looks,
        serve,
        replay,
        kernels,
        ddp,
        cluster,
    )
    for row in module.ROWS
}
