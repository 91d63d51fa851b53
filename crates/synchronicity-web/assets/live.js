// Follows an open round: the server sends the round's part of the page whenever it changes, already escaped, and lines of this
// node's transcript as text. Without it the page shows how things were when it was loaded.
const round = document.getElementById("round");
const transcript = document.getElementById("transcript");
const note = document.getElementById("transcript-note");
const search = document.getElementById("transcript-search");
let next = 0;

/** A line as the page of the transcript shows it, its number leading there. */
function lineOf(text, number) {
  const line = document.createElement("div");
  const [link, words] = [document.createElement("a"), document.createElement("span")];
  link.href = `/requests/${round.dataset.request}/transcript?from=${number}#L${number}`;
  link.textContent = number;
  words.textContent = text;
  line.append(link, words);
  return line;
}

function print(from, lines) {
  // After a lost connection they come again from the first one on.
  if (from < next) transcript.replaceChildren();
  next = from + lines.length;
  const atEnd = transcript.scrollTop + transcript.clientHeight >= transcript.scrollHeight - 30;
  transcript.append(...lines.map((line, place) => lineOf(line, from + place)));
  if (atEnd) transcript.scrollTop = transcript.scrollHeight;
  for (const field of search.elements) field.disabled = false;
}

/** Puts a new state of the round in the place of the old one; the keyboard stays where it was. */
function show(html) {
  const name = (it) => it.getAttribute("href") ?? it.getAttribute("aria-label");
  const focused = round.contains(document.activeElement) ? name(document.activeElement) : null;
  round.innerHTML = html;
  if (focused) [...round.querySelectorAll("a, [tabindex]")].find((it) => name(it) === focused)?.focus({ preventScroll: true });
}

if (round?.dataset.live === "true") {
  const source = new EventSource(`/requests/${round.dataset.request}/events?round=${round.dataset.round}`);
  source.addEventListener("round", (event) => show(JSON.parse(event.data).html));
  source.addEventListener("lines", (event) => {
    const { from, lines } = JSON.parse(event.data);
    print(from, lines);
  });
  source.addEventListener("note", (event) => {
    note.textContent = JSON.parse(event.data).text;
  });
  source.onerror = () => {
    const again = source.readyState === EventSource.CONNECTING;
    note.textContent = `The connection is lost. ${again ? "This browser tries to get it back." : "Load the page again."}`;
  };
  source.addEventListener("end", () => {
    source.close();
    round.dataset.live = "false";
    // The recipe, the downloads and the whole transcript are complete now.
    location.reload();
  });
}
