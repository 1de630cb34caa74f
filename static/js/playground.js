// Joins the playground: composer, stream, list of threads.
import "./run-stream.js";
import "./chat-composer.js";
import { startFollowing, toEnd } from "./follow-scroll.js";

// A thread opens at its end, also after a reload.
history.scrollRestoration = "manual";
startFollowing(document.querySelector("chat-composer"));
if (document.querySelector("#transcript article")) toEnd();

// A run that began or ended changes the list: its order, and the name of a new thread.
for (const name of ["run-began", "run-ended"]) document.body.addEventListener(name, refreshPast);

async function refreshPast() {
  const current = location.pathname.split("/").at(-2);
  const isThread = /^[0-9a-f-]{36}$/.test(current);
  for (const list of document.querySelectorAll("[data-past]")) {
    const search = list.parentElement.querySelector("input[type=search]");
    if (search?.value) continue;
    const url = list.dataset.url + (isThread ? `?current=${current}` : "");
    const response = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!response?.ok) continue;
    list.innerHTML = await response.text();
    window.htmx?.process(list);
  }
}

// The address of a thread that began here is left by going to its page anew.
addEventListener("popstate", () => location.reload());
// Its title and menu come with the page; after the first answer they are fetched once.
document.body.addEventListener("run-ended", async () => {
  if (document.querySelector(".thread-head")) return;
  const response = await fetch(location.pathname, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const parts = page.querySelectorAll(".thread-head, #rename");
  document.querySelector(".thread")?.prepend(...parts);
  document.title = page.title;
});

// Earlier messages come when the reader gets near the top, not because the page starts there.
addEventListener("scroll", () => {
  if (scrollY < 400) document.querySelector(".transcript .more")?.dispatchEvent(new Event("reach"));
}, { passive: true });
