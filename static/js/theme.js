// Runs before the first paint: the theme that the person chose, or the system's.
{
  const chosen = localStorage.getItem("gaiweb:theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
