// node talk.mjs ws://HOST:PORT: talks to each mount, and writes what it heard as JSON.
import WebSocket from "ws";

const base = process.argv[2];

function talk(path, say, enough, options = {}) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(base + path, { perMessageDeflate: true, ...options });
    const heard = [];
    socket.on("open", () => say.forEach((message) => socket.send(message)));
    socket.on("message", (data, isBinary) => {
      heard.push(isBinary ? `binary ${data.length}` : data.toString());
      if (heard.length === enough) socket.close(1000);
    });
    socket.on("close", (code) => resolve({ heard, code, extensions: socket.extensions }));
    socket.on("error", reject);
    setTimeout(() => reject(new Error(`${path}: heard only ${heard}`)), 30_000).unref();
  });
}

const long = "x".repeat(100_000);
const messages = ["one", Buffer.alloc(3000), long];
const room = `/ws/rooms/node-${process.pid}`;
const found = {
  autobahn: await talk("/ws/autobahn/echo", messages, 3),
  txws: await talk("/ws/txws/echo", messages, 3),
  live: await talk("/ws/live", [], 2),
  rooms: await talk(room, ['{"type":"join"}', '{"type":"publish","id":"1","data":7}'], 3),
};
process.stdout.write(JSON.stringify(found), () => process.exit(0));
