// Follow the end of the page while the reader is there; let go at the first sign of reading.

const NEAR_PX = 80;
let follows = true;
let pill = null;

const fromEnd = () => document.documentElement.scrollHeight - innerHeight - scrollY;

export function toEnd() {
  follows = true;
  hidePill();
  scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
}

export function startFollowing(composer) {
  pill = document.createElement("button");
  pill.type = "button";
  pill.className = "button small jump";
  pill.textContent = "Jump to latest";
  pill.hidden = true;
  pill.addEventListener("click", toEnd);
  composer?.append(pill);
  const letGo = () => { if (fromEnd() > 2) follows = false; };
  addEventListener("wheel", (event) => { if (event.deltaY < 0) follows = false; }, { passive: true });
  addEventListener("touchmove", letGo, { passive: true });
  addEventListener("keydown", (event) => {
    if (["PageUp", "Home"].includes(event.key) && !event.target.matches("textarea, input")) follows = false;
  });
  document.addEventListener("selectionchange", () => {
    if (!getSelection().isCollapsed && getSelection().anchorNode?.parentElement?.closest("#transcript")) follows = false;
  });
  addEventListener("scroll", () => {
    if (fromEnd() <= NEAR_PX && getSelection().isCollapsed) { follows = true; hidePill(); }
  }, { passive: true });
  // The box covers the end when it grows, and an answer grows once more when its figures come.
  const sizes = new ResizeObserver(grew);
  for (const element of [composer, document.getElementById("transcript")]) if (element) sizes.observe(element);
}

function grew() {
  if (follows) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
  else if (pill && fromEnd() > NEAR_PX) pill.hidden = false;
}

function hidePill() {
  if (pill) pill.hidden = true;
}
