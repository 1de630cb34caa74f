// <run-stream>: shows a run as the server writes it, comes back after every break, and is replaced
// by the server's own rendering at the end.
import { events } from "./event-stream.js";
import { markdownInto } from "./safe-markdown.js";
import { StepList } from "./step-list.js";

const SILENCE_MS = 25_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;

class RunStream extends HTMLElement {
  connectedCallback() {
    this.began = performance.now() - Number(this.dataset.elapsedMs);
    this.lastId = null;
    this.failures = 0;
    this.waiting = "";
    this.phase = "waiting";
    this.clean();
    this.clock = setInterval(() => this.tick(), 100);
    this.awake = () => { if (!document.hidden) this.connect(); };
    addEventListener("online", this.awake);
    document.addEventListener("visibilitychange", this.awake);
    this.say(`Generating with ${this.dataset.route}`);
    this.dispatchEvent(new CustomEvent("run-began", { bubbles: true }));
    this.connect();
  }

  disconnectedCallback() {
    clearInterval(this.clock);
    clearTimeout(this.later);
    cancelAnimationFrame(this.frame);
    removeEventListener("online", this.awake);
    document.removeEventListener("visibilitychange", this.awake);
    this.call?.abort();
    this.call = null;
    this.over = true;
  }

  piece(name) { return this.querySelector(`[data-${name}]`); }

  async stop() {
    this.show("stopping");
    try {
      const answer = await fetch(this.dataset.stop, { method: "POST", headers: { "X-CSRFToken": token() } });
      if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
    } catch {
      this.show("unstopped");
    }
  }

  // One connection at a time: an open one that is heard from is left alone.
  async connect() {
    if (this.over || (this.call && performance.now() - this.heard < SILENCE_MS)) return;
    this.call?.abort();
    const call = this.call = new AbortController();
    this.heard = performance.now();
    try {
      await this.follow(call);
    } catch (error) {
      if (call.signal.aborted) return;
      console.debug("run-stream", error);
    }
    if (this.call === call && !this.over) this.comeBack();
  }

  async follow(call) {
    const headers = { Accept: "text/event-stream" };
    if (this.lastId !== null) headers["Last-Event-ID"] = this.lastId;
    const response = await fetch(this.dataset.events, { headers, signal: call.signal, cache: "no-store" });
    if ([401, 403, 404].includes(response.status) || response.redirected) return this.finish();
    if (!response.ok) throw new Error(String(response.status));
    for await (const event of events(response)) {
      if (this.call !== call) return;
      this.heard = performance.now();
      this.failures = 0;
      if (this.phase === "lost") this.show(this.phaseBefore);
      this.take(event);
      if (event.name === "finish" || event.name === "error") return this.finish(event);
    }
  }

  comeBack() {
    this.call = null;
    this.failures += 1;
    if (this.phase !== "lost") this.phaseBefore = this.phase;
    this.show("lost");
    const wait = Math.min(FIRST_WAIT_MS * 2 ** (this.failures - 1), LONGEST_WAIT_MS);
    this.later = setTimeout(() => this.connect(), wait * (0.7 + 0.6 * Math.random()));
  }

  take({ id, name, data }) {
    if (id !== null) this.lastId = id;
    if (name === "snapshot") this.restart(data);
    else if (name === "status") this.show(data.phase);
    else if (name === "start") this.tellWho(data);
    else if (name === "text.delta") this.write(data.text);
    else if (name === "reasoning.delta") this.think(data.text);
    else if (name === "notice") this.tell(data.message);
    else if (this.steps.take(name, data)) this.show("calling");
  }

  restart(data) {
    this.clean();
    if (data.start) this.tellWho(data.start);
    for (const notice of data.notices) this.tell(notice.message);
    for (const step of data.steps) this.steps.take(step.kind, step);
    if (data.reasoning) this.think(data.reasoning);
    if (data.text) this.write(data.text);
    this.show(data.phase);
  }

  clean() {
    this.waiting = "";
    this.piece("text").replaceChildren();
    this.piece("told").replaceChildren();
    this.piece("reasoning").querySelector(".words").textContent = "";
    this.markdown = markdownInto(this.piece("text"));
    this.steps = new StepList(this.piece("steps"));
  }

  // Deltas are shown once a frame, however many arrive.
  write(text) {
    this.show("streaming");
    this.waiting += text;
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = 0;
    if (!this.waiting) return;
    this.markdown.write(this.waiting);
    this.waiting = "";
  }

  think(text) {
    this.show("thinking");
    const details = this.piece("reasoning");
    details.hidden = false;
    details.querySelector(".words").append(text);
  }

  tell(message) {
    const line = document.createElement("p");
    line.className = "told small";
    line.textContent = message;
    this.piece("told").append(line);
  }

  tellWho(start) {
    const header = this.closest("article")?.querySelector("header");
    if (!header || header.querySelector(".by")) return;
    const by = document.createElement("span");
    by.className = "muted small truncate by";
    by.textContent = start.answering;
    header.append(by);
    if (!start.is_fallback) return;
    const badge = document.createElement("span");
    badge.className = "badge warn";
    badge.textContent = "Answered by a fallback";
    header.append(badge);
  }

  show(phase) {
    if (this.phase === "stopping" && phase !== "unstopped" && phase !== "lost") return;
    this.phase = phase;
    this.tick();
  }

  tick() {
    if (this.heard && this.call && performance.now() - this.heard > SILENCE_MS) this.connect();
    const words = {
      waiting: "Waiting for first token",
      thinking: "Thinking",
      calling: "Running tools",
      streaming: "Writing",
      stopping: "Stopping…",
      unstopped: "Could not be stopped, try again",
      lost: "Connection lost, trying again",
    };
    this.piece("phase").textContent = words[this.phase] ?? this.phase;
    this.piece("time").textContent = `${((performance.now() - this.began) / 1000).toFixed(1)} s`;
  }

  async finish(event) {
    this.over = true;
    clearInterval(this.clock);
    this.flush();
    const article = this.closest("article");
    const response = await this.final();
    if (response?.ok && !response.redirected) {
      const holder = document.createElement("template");
      holder.innerHTML = await response.text();
      const final = holder.content.firstElementChild;
      article.replaceWith(final);
      this.announce(final, event);
      document.body.dispatchEvent(new CustomEvent("run-ended", { bubbles: true }));
    } else {
      location.reload();
    }
  }

  // The end has been told, so the page is there: a break right now is only the network's.
  async final() {
    for (let n = 0; n < 20; n += 1) {
      try {
        return await fetch(this.dataset.final, { headers: { "HX-Request": "true" } });
      } catch {
        await new Promise((done) => setTimeout(done, FIRST_WAIT_MS * (n + 1)));
      }
    }
    return null;
  }

  announce(final, event) {
    const fault = final.querySelector(".fault strong");
    if (fault) {
      this.say("");
      document.getElementById("run-alert").textContent = fault.textContent;
    } else {
      const tokens = final.querySelector("[data-tokens]")?.textContent;
      this.say(event?.data?.reason === "stopped" ? "Stopped" : `Response complete${tokens ? `, ${tokens}` : ""}`);
    }
  }

  say(words) {
    const status = document.getElementById("run-status");
    if (status) status.textContent = words;
  }
}

export function token() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

customElements.define("run-stream", RunStream);
