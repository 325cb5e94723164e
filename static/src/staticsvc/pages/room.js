// A room to talk in, at /ws/rooms/: what has no answer yet is sent again after a break, and what was missed is asked for.
const ROOM = "/ws/rooms/lobby";
const MINE = crypto.getRandomValues(new Uint32Array(4)).join("-"); // the same at every reconnect
const room = { socket: null, joined: false, since: null, epoch: null, unsaid: new Map(), number: 0, failures: 0, member: null };

function enter() {
  const socket = room.socket = new WebSocket(socketAddress(ROOM));
  socket.onopen = () => {
    const join = { type: "join", name: at("name").value.trim() || at("name").placeholder, client: MINE };
    if (room.epoch) Object.assign(join, { since: room.since, epoch: room.epoch });
    socket.send(JSON.stringify(join));
  };
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = () => {
    if (room.socket !== socket) return;
    at("people").textContent = room.epoch ? "Not connected; trying again…" : "Nobody answers in the room.";
    room.joined = false;
    if (room.epoch || room.failures < MOST_FAILURES) setTimeout(enter, pauseBefore(room.failures++));
    else giveUp();
  };
}

function giveUp() {
  room.socket = null;
  if (room.unsaid.size) note("Nobody has heard what you said.", "bad");
  room.unsaid.clear();
}

function hear(event) {
  switch (event.type) {
    case "joined":
      if (room.epoch && room.epoch !== event.epoch) note("The room began anew.");
      else if (event.missed && room.epoch) note(`${event.missed} messages were missed.`);
      Object.assign(room, { joined: true, epoch: event.epoch, member: event.member, failures: 0 });
      if (room.since === null || event.seq < room.since) room.since = 0;
      count(event.count);
      for (const message of room.unsaid.values()) room.socket.send(message);
      break;
    case "message":
      room.since = event.seq;
      line(event);
      break;
    case "ack":
      room.unsaid.delete(event.id);
      break;
    case "presence":
      count(event.count);
      note(`${event.name} has ${event.event === "left" ? "left" : "come"}.`);
      break;
    case "error":
      if (event.id) room.unsaid.delete(event.id);
      note(event.text, "bad");
  }
}

const count = (people) => { at("people").textContent = people === 1 ? "You are alone here." : `${people} are here.`; };

const note = (text, kind) => addLine(at("room-talk"), make("li", { className: kind || "note", textContent: text }));

function line({ name, time, data, member }) {
  const when = make("time", { textContent: new Date(time * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) });
  const text = typeof data === "string" ? data : JSON.stringify(data);
  const mine = member === room.member;
  addLine(at("room-talk"), make("li", { className: mine ? "sent" : "" }, when, make("b", {}, name), `: ${text}`));
}

at("room").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("said").value.trim();
  if (!text) return;
  at("said").value = "";
  const id = String(++room.number);
  const message = JSON.stringify({ type: "publish", id, data: text });
  room.unsaid.set(id, message);
  if (room.joined) room.socket.send(message);
  else if (!room.socket) {
    room.failures = 0;
    enter();
  }
});

at("name").addEventListener("change", () => { // a name counts from the next join on
  room.failures = 0;
  if (room.socket) room.socket.close();
});
