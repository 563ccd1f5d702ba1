// Changes the layer and head of attention maps, and tells a token's weights. Without it the page shows the head that was chosen.
for (const block of document.querySelectorAll(".attention[data-models]")) {
  const models = JSON.parse(block.dataset.models);
  for (const model of models) model.weights = Uint8Array.from(atob(model.maps), (sign) => sign.charCodeAt(0));
  const [layers, heads] = ["layer", "head"].map((name) => block.querySelector(`select[name=${name}]`));
  const figures = Array.from(block.querySelectorAll("figure.map"));
  const draw = () => {
    const [layer, head] = [Number(layers.value), Number(heads.value)];
    figures.forEach((figure, place) => {
      const model = models[place];
      const count = model.tokens.length;
      const there = layer <= model.layers && head <= model.heads;
      const start = ((layer - 1) * model.heads + head - 1) * count * count;
      const weight = (row, column) => (there ? model.weights[start + row * count + column] / 255 : 0);
      Array.from(figure.querySelector(".cells").children).forEach((square, cell) => {
        square.setAttribute("opacity", weight(Math.floor(cell / count), cell % count).toFixed(2));
      });
      const row = Number(figure.querySelector("select").value);
      const mark = figure.querySelector(".row");
      mark.setAttribute("opacity", "1");
      mark.setAttribute("transform", `translate(0 ${row * Number(mark.getAttribute("height"))})`);
      const strongest = model.tokens.map((token, column) => [weight(row, column), token]).sort((a, b) => b[0] - a[0]).slice(0, 5);
      // Isolated: a token that is written from right to left would take the numbers around it along.
      const said = there ? strongest.map(([value, token]) => `\u2068${token}\u2069 ${value.toFixed(2)}`).join(", ") : "there is no such head";
      figure.querySelector("output").textContent = `attends to: ${said}`;
      figure.querySelector("svg").setAttribute("aria-label", `${model.name}, layer ${layer}, head ${head}; ${model.tokens[row]} attends to: ${said}`);
      figure.querySelector(".shown").textContent = there ? `layer ${layer}, head ${head}` : `has no layer ${layer}, head ${head}`;
    });
    for (const cell of block.querySelectorAll("td[data-head]")) {
      const shown = Number(cell.dataset.layer) === layer && Number(cell.dataset.head) === head;
      const button = cell.firstElementChild;
      button.setAttribute("aria-pressed", String(shown));
      button.tabIndex = shown ? 0 : -1;
    }
  };
  const choose = (layer, head) => {
    layers.value = layer;
    heads.value = head;
    draw();
  };
  for (const figure of figures) {
    const tokens = figure.querySelector("select");
    tokens.addEventListener("change", draw);
    const cells = figure.querySelector(".cells");
    cells.addEventListener("click", (event) => {
      tokens.value = Math.floor(Array.from(cells.children).indexOf(event.target) / tokens.options.length);
      draw();
    });
  }
  for (const select of [layers, heads]) select.addEventListener("change", draw);
  // One stop of the tab key a table; arrows go from cell to cell.
  const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  for (const table of block.querySelectorAll("table.heat")) {
    for (const cell of table.querySelectorAll("td[data-head]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", `layer ${cell.dataset.layer}, head ${cell.dataset.head}: ${cell.textContent.trim()}`);
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => choose(cell.dataset.layer, cell.dataset.head));
      button.addEventListener("keydown", (event) => {
        if (!(event.key in moves)) return;
        event.preventDefault();
        const [down, right] = moves[event.key];
        const [layer, head] = [Number(cell.dataset.layer) + down, Number(cell.dataset.head) + right];
        const next = table.querySelector(`td[data-layer="${layer}"][data-head="${head}"] button`);
        if (next) {
          choose(layer, head);
          next.focus();
        }
      });
    }
  }
  for (const hidden of block.querySelectorAll("[hidden]")) hidden.hidden = false;
  draw();
}
