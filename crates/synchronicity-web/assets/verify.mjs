// The verifier page: reads what somebody chose, asks proof.mjs, and shows the answer. Nothing is sent.

import { verify } from "./proof.mjs";
import { bytesOf, hex, seen, sha256 } from "./primitives.mjs";

const FILE_BYTES_MAX = 1 << 30;
const form = document.getElementById("verifier");
const outcome = document.getElementById("outcome");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  say("soft", "Checking…", []);
  try {
    show(await judged());
  } catch (error) {
    say("bad", "Not verified", [`${error.outcome ?? "trouble"}: ${error.message}`]);
  }
});

// Wherever on the page it is dropped: beside the fields the browser would leave the page for it.
const hasFiles = (event) => event.dataTransfer.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (hasFiles(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  const { files } = event.dataTransfer;
  document.getElementById(files[0].name.endsWith(".tlog-proof") ? "proof" : "file").files = files;
});

async function judged() {
  const [proof] = document.getElementById("proof").files;
  const [file] = document.getElementById("file").files;
  if (!proof) throw new Error("choose a proof file first");
  if ((file?.size ?? 0) > FILE_BYTES_MAX) throw new Error("the file is larger than a browser should hash: use the program");
  const hash = file ? hex(await sha256(new Uint8Array(await file.arrayBuffer()))) : null;
  const policy = bytesOf(document.getElementById("policy").value);
  return { ...(await verify(new Uint8Array(await proof.arrayBuffer()), policy, hash)), hash };
}

function show(told) {
  const what = `${told.name} ${told.version}`;
  const about = [
    `entry ${told.index} of ${told.origin}, at size ${told.size}`,
    `${told.agreeing.length} of ${told.members} builders agree, ${told.threshold} are needed: ${told.agreeing.join(", ")}`,
    `cosigned by ${told.cosigners.map((cosigner) => cosigner.name).join(", ")}`,
  ];
  if (told.fixture) about.push("the source is a fixture of the project: nothing that anybody published");
  if (told.vouched !== null) about.push(`a quorum vouched for it at ${new Date(Number(told.vouched) * 1000).toISOString()}`);
  if (told.outcome === "no-evidence") return say("bad", `No evidence: ${what} is ${told.verdict}`, about);
  for (const artifact of told.artifacts) about.push(`${artifact.name}: sha256 ${artifact.sha256}`);
  if (told.outcome === "mismatch") return say("bad", `The file is not what was built of ${what}`, [`sha256 of the file ${told.hash}`, ...about]);
  if (told.artifact) return say("good", `The file is ${told.artifact.name} of ${what}, byte for byte`, about);
  return say("good", `Reproduced: ${what}`, about);
}

function say(mark, title, lines) {
  const heading = document.createElement("h2");
  heading.className = mark;
  heading.textContent = seen(title);
  const list = document.createElement("ul");
  list.append(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = seen(line);
    return item;
  }));
  outcome.replaceChildren(heading, list);
}
