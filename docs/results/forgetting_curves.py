"""What further pretraining gained on text of the domain, and what it forgot of general text, by learning rate and by share of replay.

python docs/results/forgetting_curves.py docs/results/results/tos100-forgetting docs/results/tos100-forgetting-curves.png
"""

import json
import sys
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

INK, BLUE = "#1c1c22", "#1f4e8c"
BELOW = ("rate 1e-4", "rate 1e-3")  # names that would lie on others above their point


def rows(study: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each pretraining: rate, share of general text, nats gained on held-out text of the domain, bits per byte forgotten."""
    found = []
    for stage in study["stages"]:
        if stage["role"] != "pretrains":
            continue
        recipe = stage["recipes"][0]
        known = study["forgetting"]["recipes"][recipe]
        after = next(each for each in known["stages"] if each["after"] == stage["does"])
        found.append(
            {
                "recipe": recipe,
                "rate": stage["settings"]["lr"],
                "replay": stage["settings"].get("replay") or 0.0,
                "gained": stage["metrics"]["heldout_loss_before"] - stage["metrics"]["heldout_loss_after"],
                "forgot": after["difference"],
                "low": after["low"],
                "high": after["high"],
            }
        )
    return found


def drawn(found: list[dict[str, Any]]) -> alt.HConcatChart:
    """Two panels: forgetting by rate, and gain on the domain against forgetting."""
    x = alt.X(
        "rate:Q", scale=alt.Scale(type="log"), axis=alt.Axis(values=[3e-5, 1e-4, 3e-4, 1e-3], format="~e"), title="peak learning rate"
    )
    alone = alt.Chart(alt.Data(values=[row for row in found if not row["replay"]])).encode(x=x)
    line = alone.mark_line(color=BLUE).encode(y=alt.Y("forgot:Q", title="forgotten of general text, bits per byte"))
    left = (
        line
        + alone.mark_rule(color=BLUE, strokeWidth=2).encode(y="low:Q", y2="high:Q")
        + alone.mark_point(color=BLUE, filled=True, size=70).encode(y="forgot:Q")
    )
    base = alt.Chart(alt.Data(values=found)).encode(
        x=alt.X("forgot:Q", title="forgotten of general text, bits per byte", scale=alt.Scale(domain=[-0.02, 0.2])),
        y=alt.Y("gained:Q", title="gained on the domain's text, nats"),
    )
    layers = [base.mark_point(filled=True, size=80, color=BLUE)]
    for names, dy in (([row["recipe"] for row in found if row["recipe"] not in BELOW], -7), (list(BELOW), 9)):
        chosen = base.transform_filter(alt.FieldOneOfPredicate(field="recipe", oneOf=names))
        layers.append(chosen.mark_text(align="left", dx=8, dy=dy, color=INK).encode(text="recipe:N"))
    chart: alt.HConcatChart = alt.hconcat(left.properties(width=330, height=260), alt.layer(*layers).properties(width=380, height=260))
    return chart.configure_view(stroke=None)


if __name__ == "__main__":
    told = rows(json.loads((Path(sys.argv[1]) / "study.json").read_text(encoding="utf-8")))
    Path(sys.argv[2]).write_bytes(vl_convert.vegalite_to_png(drawn(told).to_json(), scale=2))
    for row in told:
        print(f"| {row['recipe']} | {row['gained']:.3f} | {row['forgot']:+.3f} [{row['low']:+.3f} to {row['high']:+.3f}] |")
