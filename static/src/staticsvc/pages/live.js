// The live picture: one line of JSON a second from /ws/live.
const PLACES = { // where a service's prefix has something to look at
  static: "/static/", uploads: "/uploads/", app: "/app/", autobahn: "#h-echo", txws: "#h-echo", rooms: "#h-room",
};
const rates = [];
const rows = new Map(); // of services, by name
let before = null;
let failures = 0;

function listen() {
  let heard = false;
  const socket = new WebSocket(socketAddress("/ws/live"));
  socket.onmessage = ({ data }) => {
    const status = JSON.parse(data);
    if (status.type !== "status") return;
    heard = true;
    failures = 0;
    show(status);
  };
  socket.onclose = () => {
    before = null;
    at("live").classList.add("off");
    at("live-said").textContent = heard || rows.size
      ? "The live picture has stopped; trying to reach it again."
      : "The live picture is not to be had here: nothing answers at /ws/live.";
    if (rows.size || failures < MOST_FAILURES) setTimeout(listen, pauseBefore(failures++)); // else there is none here
  };
}

function show(status) {
  at("live").classList.remove("off");
  at("live-said").textContent = status.routers ? "" : "No router tells how it is.";
  const gone = before ? status.time - before.time : 0;
  if (gone > 0 && status.accepted >= before.accepted) {
    rates.push((status.accepted - before.accepted) / gone);
    if (rates.length > 60) rates.shift();
    const rate = rates[rates.length - 1];
    at("rate").textContent = rate < 10 && rate % 1 ? rate.toFixed(1) : Math.round(rate);
    draw();
  }
  before = status;
  const services = Object.entries(status.services);
  const open = services.reduce((sum, [, service]) => sum + service.open, 0);
  for (const [id, value] of Object.entries({
    "n-accepted": status.accepted, "n-open": open, "n-returned": status.returned, "n-held": status.held, "n-waiting": status.waiting,
  })) at(id).textContent = value.toLocaleString("en");
  at("n-routers").textContent = (status.routers === 1 ? "1 router" : status.routers + " routers") + (status.draining ? ", draining" : "");
  showServices(services);
}

function draw() {
  const top = Math.max(...rates, 1);
  const points = rates.map((rate, x) => `${x + 60 - rates.length},${(20 - 19 * rate / top).toFixed(1)}`);
  at("spark").setAttribute("points", points.join(" "));
}

function showServices(services) {
  const names = new Set(services.map(([name]) => name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.item.remove();
    rows.delete(name);
  }
  const changes = [];
  for (const [place, [name, service]] of services.entries()) {
    let row = rows.get(name);
    if (!row) {
      row = addService(name);
      rows.set(name, row);
    }
    const there = at("services").children[place]; // in the order of the message; what is moved would lose the focus
    if (there !== row.item) at("services").insertBefore(row.item, there || null);
    row.target.textContent = service.target;
    row.open.textContent = `${service.open} open` + (service.queued ? `, ${service.queued} wait` : "");
    changes.push(...showReplicas(name, row, service));
  }
  if (changes.length) at("live-changes").textContent = changes.join(" ");
}

function addService(name) {
  const title = PLACES[name] ? make("a", { href: PLACES[name] }, name) : name;
  const target = make("small", {}), open = make("span", { className: "open" });
  const replicas = make("ul", { className: "replicas" });
  replicas.setAttribute("aria-label", `Replicas of ${name}`);
  const item = make("li", {}, make("div", {}, make("b", {}, title), target), replicas, open);
  item.dataset.service = name;
  return { item, target, open, replicas, chips: new Map(), none: null, known: false };
}

// Returns what is to be said of it.
function showReplicas(name, row, service) {
  const there = new Set(service.replicas.map(({ replica }) => replica));
  let changed = false;
  for (const [replica, chip] of row.chips) {
    if (there.has(replica)) continue;
    chip.remove();
    row.chips.delete(replica);
    changed = true;
  }
  for (const { replica, state, open } of service.replicas) {
    let chip = row.chips.get(replica);
    if (!chip) {
      chip = make("li", {});
      row.chips.set(replica, chip);
      row.replicas.append(chip);
      changed = true;
      if (row.known) chip.classList.add("new");
    }
    chip.classList.add("replica");
    chip.classList.toggle("other", state !== "ready");
    chip.textContent = state === "ready" ? open : `${open} ${state}`;
    chip.title = `${replica}: ${state}, ${open} open`;
  }
  if (row.none) row.none.remove();
  row.none = there.size ? null : make("li", {}, "none at the moment");
  if (row.none) row.replicas.append(row.none);
  const news = changed && row.known ? [`${name} has ${there.size} ${there.size === 1 ? "replica" : "replicas"} now.`] : [];
  row.known = true;
  return news;
}
