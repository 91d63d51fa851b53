// Completes names of crates. Without it the form still searches.
const field = document.getElementById("q");
const list = document.getElementById("found");
let asked = "";
let waiting;

async function complete() {
  const query = field.value.trim();
  if (query === asked || query.length < 2) return;
  asked = query;
  const answer = await fetch(`/api/v1/crates?limit=8&query=${encodeURIComponent(query)}`);
  if (!answer.ok || asked !== query) return;
  const { hits } = await answer.json();
  list.replaceChildren(...hits.map((hit) => {
    const option = document.createElement("option");
    option.value = hit.name;
    return option;
  }));
}

field?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => complete().catch(() => {}), 150);
});
