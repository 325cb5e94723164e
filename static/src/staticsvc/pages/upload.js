// What is there, and uploads: by tus where the service offers it (pause, resume, go on after a break), else by PUT.
const SHOWN = 6;
const RETRIES = [0, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000]; // milliseconds
let asksForLogin = false;
let resumable = null; // a promise of whether the service speaks tus; none while it has not said so, nor the contrary

async function look() {
  const rows = [];
  const row = (...parts) => rows.push(make("li", {}, ...parts));
  try {
    const response = await fetch("/uploads/");
    if (!response.ok) throw new Error(response.status);
    const files = await response.json();
    files.sort((one, other) => other.modified - one.modified);
    for (const file of files.slice(0, SHOWN)) {
      const link = make("a", { href: "/uploads/" + encodeURIComponent(file.name), textContent: file.name });
      row(make("small", { textContent: size(file.size) }), link);
    }
    if (files.length > SHOWN) row(`and ${files.length - SHOWN} more`);
    if (!files.length) row("Nothing yet.");
  } catch (error) {
    row("The uploads service does not answer.");
  }
  at("list").replaceChildren(...rows);
}

async function speaksTus() {
  if (!window.tus || !tus.isSupported) return false;
  try {
    const response = await fetch("/uploads/", { method: "OPTIONS" });
    if (!response.ok) throw new Error(response.status);
    asksForLogin = response.headers.has("WWW-Authenticate");
    return (response.headers.get("Tus-Version") || "").split(",").includes("1.0.0");
  } catch (error) {
    resumable = null; // the next one asks again
    return false;
  }
}

// What is said of an answer that is none of success: the router's begin with the status, and a page is not for here.
function refusal(status, text) {
  const why = text.trim();
  if (why.startsWith("<")) return `The answer was ${status}.`;
  return why.startsWith(status) ? why : `${status}: ${why}`;
}

// Empty, and on a condition that never holds: so the browser asks for the login before the file is sent, not after.
async function admitted(place) {
  let asked;
  try {
    asked = await fetch(place, { method: "PUT", body: "", headers: { "If-Match": '"never"' } });
  } catch (error) {
    throw new Error("The uploads service does not answer.");
  }
  if (asked.status !== 412) throw new Error(refusal(asked.status, await asked.text()));
}

class Transfer {
  constructor(file) {
    this.file = file;
    this.name = file.name.normalize("NFC");
    this.place = "/uploads/" + encodeURIComponent(this.name);
    this.bar = make("progress", { max: 1, value: 0 });
    this.bar.setAttribute("aria-label", `Progress of ${this.name}`);
    this.said = make("p", { className: "said" });
    this.pauseButton = make("button", { type: "button", className: "plain pause", textContent: "Pause", hidden: true });
    this.stopButton = make("button", { type: "button", className: "plain stop", textContent: "Cancel" });
    for (const [button, verb] of [[this.pauseButton, "Pause"], [this.stopButton, "Cancel"]])
      button.setAttribute("aria-label", `${verb} ${this.name}`);
    this.pauseButton.onclick = () => (this.paused ? this.resume() : this.pause());
    this.stopButton.onclick = () => this.cancel();
    const row = make("div", { className: "row" }, this.said, this.pauseButton, this.stopButton);
    this.item = make("li", {}, make("b", {}, this.name), this.bar, row);
    this.paused = false;
    this.marks = []; // of time and bytes, for the speed of the last seconds
    at("transfers").append(this.item);
  }

  async begin() {
    say(this.said, "Asking…");
    const byTus = await resumable;
    if (this.ended) return;
    if (byTus) this.byTus(); // which asks for the login before it sends anything of the file
    else await this.byPut();
  }

  byTus() {
    this.upload = new tus.Upload(this.file, {
      endpoint: "/uploads/",
      metadata: { filename: this.name, filetype: this.file.type },
      retryDelays: RETRIES,
      removeFingerprintOnSuccess: true,
      onProgress: (sent, all) => this.progress(sent, all),
      onSuccess: () => this.end(`${this.name} is there, ${size(this.file.size)}.`, "good"),
      onError: (error) => this.broken(error),
      onShouldRetry: (error) => {
        const status = error.originalResponse ? error.originalResponse.getStatus() : 0;
        if (!status) say(this.said, "The connection broke; trying again…", "bad");
        return !(status >= 400 && status < 500) || status === 409 || status === 423;
      },
    });
    this.pauseButton.hidden = false;
    say(this.said, "Sending…");
    this.upload.findPreviousUploads().then((earlier) => {
      if (earlier.length) this.upload.resumeFromPreviousUpload(earlier[0]);
      if (!this.paused && !this.ended) this.upload.start();
    });
  }

  async byPut() {
    try {
      await admitted(this.place);
    } catch (error) {
      this.end(error.message, "bad");
    }
    if (this.ended) return;
    const request = this.request = new XMLHttpRequest(); // fetch cannot tell how much of a body has gone
    request.upload.onprogress = ({ loaded, total }) => this.progress(loaded, total);
    request.onload = () => {
      if (request.status === 200 || request.status === 201) this.end(`${this.name} is there, ${size(this.file.size)}.`, "good");
      else this.end(refusal(request.status, request.responseText), "bad");
    };
    request.onerror = () => this.end("The connection broke; nothing was stored.", "bad");
    request.open("PUT", this.place);
    say(this.said, "Sending…");
    request.send(this.file);
  }

  progress(sent, all) {
    if (this.paused || this.ended) return;
    this.bar.value = all ? sent / all : 1;
    const now = performance.now();
    this.marks.push([now, sent]);
    while (this.marks.length > 2 && now - this.marks[0][0] > 3000) this.marks.shift();
    const [since, from] = this.marks[0];
    const speed = now > since ? (sent - from) / ((now - since) / 1000) : 0;
    say(this.said, `${size(sent)} of ${size(all)}` + (speed > 0 ? `, ${size(speed)}/s` : ""));
  }

  broken(error) {
    const response = error.originalResponse;
    if (response) this.end(refusal(response.getStatus(), response.getBody()), "bad");
    else this.pause("The connection is broken. What has arrived stays; resume when it is back.", "bad");
  }

  pause(text = "Paused", kind = "") {
    this.paused = true;
    this.marks = [];
    this.upload.abort();
    say(this.said, kind ? text : `${text} at ${Math.floor(this.bar.value * 100)} %`, kind);
    this.nameButton("Resume");
  }

  resume() {
    this.paused = false;
    say(this.said, "Going on…");
    this.nameButton("Pause");
    this.upload.start();
  }

  nameButton(verb) {
    this.pauseButton.textContent = verb;
    this.pauseButton.setAttribute("aria-label", `${verb} ${this.name}`);
  }

  cancel() {
    if (this.ended) return this.leave();
    if (this.upload) this.upload.abort(true).catch(() => {}); // with its record at the server
    if (this.request) this.request.abort();
    this.end("Cancelled; nothing was stored.", "bad");
  }

  // Whoever is there with the keyboard goes on where the next file is chosen.
  leave() {
    const here = this.item.contains(document.activeElement);
    this.item.remove();
    if (here) at("file").focus();
  }

  end(text, kind) {
    this.ended = true;
    if (document.activeElement === this.pauseButton) this.stopButton.focus();
    this.pauseButton.hidden = true;
    this.bar.hidden = true;
    this.stopButton.textContent = "Remove";
    this.stopButton.setAttribute("aria-label", `Remove ${this.name} from the list`);
    if (kind === "good") this.leave();
    else say(this.said, text, kind);
    say(at("upload-said"), kind === "good" ? text : `${this.name}: ${text}`, kind);
    look();
    if (kind === "good" && asksForLogin) whoIsThere(true); // the browser knows the login by now
  }
}

function send(files) {
  resumable = resumable || speaksTus();
  for (const file of files) new Transfer(file).begin();
}

at("upload").addEventListener("submit", (event) => {
  event.preventDefault();
  send(at("file").files);
  at("upload").reset();
});

for (const name of ["dragenter", "dragover"]) at("drop").addEventListener(name, (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
for (const name of ["dragleave", "drop"]) at("drop").addEventListener(name, () => at("drop").classList.remove("over"));
at("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  send(event.dataTransfer.files);
});
// Beside the field a file would replace the page, and all that is under way.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => {
  if (event.defaultPrevented || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
});
