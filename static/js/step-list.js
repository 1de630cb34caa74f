// The calls of a tool loop while they happen; the server's own list takes their place at the end.
export class StepList {
  constructor(list) {
    this.list = list;
    this.rows = new Map();
    list.replaceChildren();
    list.hidden = true;
  }

  // Answers whether it was an event of a loop.
  take(name, data) {
    if (name === "tool.call") this.call(data);
    else if (name === "tool.result") this.result(data);
    else if (name !== "step.end") return false;
    return true;
  }

  call({ id, name, arguments: asked }) {
    const row = document.createElement("li");
    row.className = "call live";
    row.append(piece("strong", name), piece("span", short(asked), "mono truncate"), piece("span", "running…", "muted small state"));
    this.rows.set(id, row);
    this.list.append(row);
    this.list.hidden = false;
  }

  result({ id, content, is_error: failed, duration_ms: took }) {
    const state = this.rows.get(id)?.querySelector(".state");
    if (!state) return;
    state.className = failed ? "badge bad" : "mono truncate result";
    state.textContent = failed ? "failed" : short(content);
    if (took !== null) state.after(piece("span", `${took} ms`, "muted small"));
  }
}

function piece(tag, text, kind = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  return element;
}

function short(text) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
