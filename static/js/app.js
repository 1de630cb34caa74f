// What every page has: the CSRF header of htmx, theme choice, menus, dialogs, small elements.

document.addEventListener("htmx:config:request", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) event.detail.ctx.request.headers["X-CSRFToken"] = token;
});

// Parts that ask again by themselves: not while nobody looks, and not silently when it fails.
document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.target.matches?.("[data-polls]")) event.preventDefault();
});
for (const name of ["htmx:error", "htmx:response:error"]) {
  document.addEventListener(name, (event) => {
    event.target.closest?.("[data-polls]")?.classList.add("stale");
  });
}
document.addEventListener("htmx:after:swap", (event) => {
  event.target.closest?.("[data-polls]")?.classList.remove("stale");
  // The pill and the banner are of the same moment as the board: one must not belie the other.
  if (event.target.closest?.(".board")) document.body.dispatchEvent(new Event("board-shown"));
});

// On a phone the sections do not fit: the one that is open is scrolled to.
document.querySelector(".sub-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const theme = event.target.closest("[data-set-theme]");
  if (theme) setTheme(theme.dataset.setTheme);
  event.target.closest("[data-dismiss]")?.closest(".notice")?.remove();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
}, true);

function setTheme(theme) {
  if (theme === "system") {
    localStorage.removeItem("gaiweb:theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("gaiweb:theme", theme);
    document.documentElement.dataset.theme = theme;
  }
  markTheme();
}

function markTheme() {
  const chosen = localStorage.getItem("gaiweb:theme") ?? "system";
  for (const button of document.querySelectorAll("[data-set-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.setTheme === chosen));
  }
}
markTheme();

// <copy-button data-text="..."> or <copy-button data-from="id-of-element">
customElements.define("copy-button", class extends HTMLElement {
  connectedCallback() {
    if (this.firstElementChild) return;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "button small";
    this.button.textContent = "Copy";
    this.button.setAttribute("aria-label", this.dataset.label ?? "Copy");
    this.button.addEventListener("click", () => this.copy());
    this.append(this.button);
  }
  async copy() {
    const text = this.dataset.text ?? document.getElementById(this.dataset.from)?.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text.trim());
      this.say("Copied");
    } catch {
      this.say("Press Ctrl-C");
      const target = document.getElementById(this.dataset.from);
      if (target) window.getSelection().selectAllChildren(target);
    }
  }
  say(words) {
    this.button.textContent = words;
    setTimeout(() => { this.button.textContent = "Copy"; }, 1500);
  }
});

// <time-ago><time datetime="...">fallback words</time></time-ago>
customElements.define("time-ago", class extends HTMLElement {
  connectedCallback() {
    this.show();
    this.timer = setInterval(() => this.show(), 30_000);
  }
  disconnectedCallback() { clearInterval(this.timer); }
  show() {
    const time = this.querySelector("time");
    if (!time) return;
    const at = new Date(time.dateTime);
    const seconds = Math.max(0, Math.floor((Date.now() - at) / 1000));
    // The words are those of the filter `ago`, so that all pages say it alike.
    const sizes = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const [size, unit] = sizes.find(([size]) => seconds >= 2 * size) ?? sizes.at(-1);
    time.title = at.toLocaleString();
    time.textContent = seconds < 2 ? "just now" : `${Math.floor(seconds / size)} ${unit} ago`;
  }
});

// <count-down data-seconds="17">17 s</count-down>
customElements.define("count-down", class extends HTMLElement {
  static observedAttributes = ["data-seconds"];
  connectedCallback() {
    this.timer = setInterval(() => this.show(), 500);
  }
  disconnectedCallback() { clearInterval(this.timer); }
  attributeChangedCallback(_name, _old, seconds) {
    this.until = Date.now() + Number(seconds) * 1000;
  }
  show() {
    const left = Math.max(0, Math.ceil((this.until - Date.now()) / 1000));
    const words = left < 100 ? `${left} s` : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    if (this.textContent !== words) this.textContent = words;
  }
});
