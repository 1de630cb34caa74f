// <chat-composer>: Run, Stop, drafts and keys around the message box.
import { toEnd } from "./follow-scroll.js";
import { PickedPictures } from "./picked-pictures.js";

class ChatComposer extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.text = this.form.elements.text;
    this.draftKey = `gaiweb:draft:${this.dataset.draft}`;
    this.pictures = new PickedPictures(this, this.piece("pictures"), this.piece("picked"), (words) => this.refuse(words));
    this.restoreDraft();
    this.summarise();
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.run(); });
    this.form.addEventListener("input", () => { this.keepDraft(); this.summarise(); });
    this.piece("stop").addEventListener("click", () => this.stop());
    document.addEventListener("run-began", () => this.setLive(true));
    document.body.addEventListener("run-ended", () => this.setLive(this.stream !== null));
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("click", (event) => this.click(event));
    document.addEventListener("submit", (event) => this.again(event));
    this.setLive(this.stream !== null);
  }

  piece(name) { return this.querySelector(`[data-${name}]`); }
  get stream() { return document.querySelector("run-stream"); }

  async run() {
    if (this.stream || this.sending) return;
    if (!this.text.value.trim() && this.pictures.isEmpty) return this.text.focus();
    if (!this.form.reportValidity()) return;
    const html = await this.post(this.form.action, new FormData(this.form));
    if (html === null) return;
    this.text.value = "";
    this.pictures.clear();
    // Open, it would cover the answer.
    this.querySelector(".tuning").open = false;
    localStorage.removeItem(this.draftKey);
    this.add(html);
  }

  async again(event) {
    if (!event.target.matches("[data-again]")) return;
    event.preventDefault();
    if (this.stream) return;
    const article = event.target.closest("article");
    const html = await this.post(event.target.action, new FormData(event.target));
    if (html === null) return;
    article.remove();
    this.add(html);
    this.text.focus({ preventScroll: true });
  }

  // Answers the new messages' HTML; null: refused, and the reason is shown.
  async post(url, body) {
    this.sending = true;
    this.refuse("");
    this.piece("run").disabled = true;
    try {
      const response = await fetch(url, { method: "POST", body, headers: { "HX-Request": "true" } });
      const away = response.headers.get("HX-Redirect");
      if (away) location.assign(away);
      const words = await response.text();
      if (!response.ok) {
        const isPlain = response.headers.get("Content-Type")?.startsWith("text/plain");
        this.refuse(isPlain ? words : `The server refused this (${response.status}). Your message is kept.`);
        return null;
      }
      this.moveTo(response.headers.get("HX-Push-Url"));
      return words;
    } catch {
      this.refuse("The server cannot be reached. Your message is kept, try again.");
      return null;
    } finally {
      this.sending = false;
      this.piece("run").disabled = false;
    }
  }

  // A new thread gets its address with its first message.
  moveTo(place) {
    if (!place || place === location.pathname) return;
    history.pushState({}, "", place);
    this.form.action = `${place}runs/`;
    this.draftKey = this.draftKey.replace(/:new$/, `:${place.split("/").at(-2)}`);
    localStorage.removeItem(`gaiweb:draft:${this.dataset.draft}`);
    document.body.dispatchEvent(new CustomEvent("thread-began", { bubbles: true, detail: place }));
  }

  add(html) {
    document.getElementById("welcome")?.remove();
    const holder = document.createElement("template");
    holder.innerHTML = html;
    document.getElementById("transcript").append(holder.content);
    toEnd();
  }

  stop() {
    this.stream?.stop();
    const button = this.piece("stop");
    button.disabled = true;
    button.querySelector("span").textContent = "Stopping…";
    setTimeout(() => this.resetStop(), 5000);
  }

  resetStop() {
    this.piece("stop").disabled = false;
    this.piece("stop").querySelector("span").textContent = "Stop";
  }

  // The focus stays where it was: on Run and Stop, which take turns in one place, or in the text.
  setLive(isLive) {
    const [shown, hidden] = isLive ? ["stop", "run"] : ["run", "stop"];
    const hadFocus = document.activeElement === this.piece(hidden);
    this.piece(shown).hidden = false;
    this.piece(hidden).hidden = true;
    if (!isLive) this.resetStop();
    if (hadFocus) this.text.focus({ preventScroll: true });
  }

  key(event) {
    const inField = event.target.matches("input, textarea, select, [contenteditable]");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      this.run();
    } else if (event.key === "Escape" && this.stream && !document.querySelector("dialog[open], details.menu[open]")) {
      this.stop();
    } else if (event.key.toLowerCase() === "o" && event.ctrlKey && event.shiftKey) {
      event.preventDefault();
      location.assign("/playground/");
    } else if (event.key === "/" && !inField && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      this.text.focus();
    }
  }

  click(event) {
    const starter = event.target.closest("[data-starter]");
    if (!starter) return;
    this.text.value = starter.dataset.starter;
    this.keepDraft();
    this.text.focus();
  }

  keepDraft() {
    if (this.text.value) localStorage.setItem(this.draftKey, this.text.value);
    else localStorage.removeItem(this.draftKey);
  }

  restoreDraft() {
    const draft = localStorage.getItem(this.draftKey);
    if (draft) this.text.value = draft;
  }

  refuse(words) {
    const place = this.piece("refusal");
    place.textContent = words;
    place.hidden = !words;
    if (words) document.getElementById("run-alert").textContent = words;
  }

  // What is set is seen without opening the fields.
  summarise() {
    const { system_prompt: prompt, temperature, max_output_tokens: most, effort, output } = this.form.elements;
    const tools = [...this.querySelectorAll("input[name=tools]:checked")].map((box) => box.value);
    const said = [];
    if (prompt.value.trim()) said.push(`“${prompt.value.trim().replace(/\s+/g, " ").slice(0, 60)}”`);
    if (tools.length) said.push(tools.join(", "));
    if (output.value !== "text") said.push(output.selectedOptions[0].text);
    if (effort.value) said.push(`thinking: ${effort.value}`);
    if (temperature.value) said.push(`temperature ${temperature.value}`);
    if (most.value) said.push(`at most ${most.value} tokens`);
    this.piece("tuning").textContent = said.join(" · ") || "System prompt, tools, JSON, length";
    this.querySelector(".tuning").toggleAttribute("data-changed", said.length > 0);
  }
}

customElements.define("chat-composer", ChatComposer);
