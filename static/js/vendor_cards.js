// A pasted key chooses its vendor's card by how it begins; a chosen card names the provider.

function fitting(key, cards) {
  const known = [...cards].filter((card) => card.dataset.keyPrefix && key.startsWith(card.dataset.keyPrefix));
  return known.sort((a, b) => b.dataset.keyPrefix.length - a.dataset.keyPrefix.length)[0];
}

document.addEventListener("input", (event) => {
  const form = event.target.closest?.(".vendor-form");
  if (!form || event.target.name !== "key") return;
  const chosen = form.querySelector('input[name="vendor"]:checked');
  const card = fitting(event.target.value.trim(), form.querySelectorAll('input[name="vendor"]'));
  // A vendor whose keys have every shape stays chosen.
  if (!card || card === chosen || (chosen && !chosen.dataset.keyPrefix)) return;
  card.checked = true;
  card.closest("details")?.setAttribute("open", "");
  card.dispatchEvent(new Event("change", { bubbles: true }));
});

document.addEventListener("change", (event) => {
  const form = event.target.closest?.(".vendor-form");
  if (!form || event.target.name !== "vendor") return;
  const name = form.querySelector('input[name="name"]');
  const vendors = [...form.querySelectorAll('input[name="vendor"]')].map((card) => card.value);
  if (name && (name.value === "" || vendors.includes(name.value))) name.value = event.target.value;
  const model = form.querySelector('input[name="model"]');
  if (model) model.value = event.target.dataset.model ?? "";
  const address = form.querySelector('input[name="base_url"]');
  if (address) address.placeholder = event.target.dataset.address ?? "";
});
