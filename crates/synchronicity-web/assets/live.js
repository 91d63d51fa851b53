// Follows an open round: the server sends the round's part of the page whenever it changes, already escaped, and lines of this
// node's transcript as text. Without it the page shows how things were when it was loaded.
const round = document.getElementById("round");
const transcript = document.getElementById("transcript");
const note = document.getElementById("transcript-note");
const LINES_MAX = 5000;

function print(lines) {
  const atEnd = transcript.scrollTop + transcript.clientHeight >= transcript.scrollHeight - 30;
  for (const line of lines) transcript.append(`${line}\n`);
  while (transcript.childNodes.length > LINES_MAX) transcript.firstChild.remove();
  if (atEnd) transcript.scrollTop = transcript.scrollHeight;
}

if (round?.dataset.live === "true") {
  const source = new EventSource(`/requests/${round.dataset.request}/events?round=${round.dataset.round}`);
  source.addEventListener("round", (event) => {
    round.innerHTML = JSON.parse(event.data).html;
  });
  source.addEventListener("lines", (event) => {
    const { from, lines } = JSON.parse(event.data);
    if (from === 0) transcript.replaceChildren();
    print(lines);
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
