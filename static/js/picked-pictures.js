// Pictures beside the message: picked, pasted or dropped, shown small until they are sent.
const MOST = 4;
const MOST_BYTES = 5 * 1024 * 1024;

export class PickedPictures {
  constructor(composer, input, list, refuse) {
    Object.assign(this, { composer, input, list, refuse, files: [] });
    input.addEventListener("change", () => this.add([...input.files]));
    composer.addEventListener("paste", (event) => this.take(event, event.clipboardData));
    composer.addEventListener("dragover", (event) => { if (hasFiles(event.dataTransfer)) event.preventDefault(); });
    composer.addEventListener("drop", (event) => this.take(event, event.dataTransfer));
  }

  get isEmpty() { return this.files.length === 0; }

  take(event, carried) {
    const pictures = [...(carried?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!pictures.length) return;
    event.preventDefault();
    this.add(pictures);
  }

  add(pictures) {
    const large = pictures.find((file) => file.size > MOST_BYTES);
    const fitting = pictures.filter((file) => file.size <= MOST_BYTES);
    if (large) this.refuse(`${large.name} is larger than 5 MB. Make it smaller, then add it again.`);
    else if (this.files.length + fitting.length > MOST) this.refuse(`A message takes at most ${MOST} pictures.`);
    this.set([...this.files, ...fitting].slice(0, MOST));
  }

  set(files) {
    this.files = files;
    const carrier = new DataTransfer();
    for (const file of files) carrier.items.add(file);
    this.input.files = carrier.files;
    for (const image of this.list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    this.list.replaceChildren(...files.map((file) => this.row(file)));
    this.list.hidden = this.isEmpty;
  }

  clear() { this.set([]); }

  row(file) {
    const row = document.createElement("li");
    const image = document.createElement("img");
    image.src = URL.createObjectURL(file);
    image.alt = file.name;
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "drop";
    drop.textContent = "×";
    drop.ariaLabel = `Leave out ${file.name}`;
    drop.addEventListener("click", () => this.set(this.files.filter((other) => other !== file)));
    row.append(image, drop);
    return row;
  }
}

function hasFiles(carried) { return [...(carried?.types ?? [])].includes("Files"); }
