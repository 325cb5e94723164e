// The two echoes.
const sockets = new Map();

const tell = (text, kind) => addLine(at("talk"), make("li", { textContent: text, className: kind || "" }));

function connected(path) {
  const known = sockets.get(path);
  if (known) return known;
  const name = [...at("which").options].find((option) => option.value === path).textContent;
  const promise = new Promise((resolve, reject) => {
    const socket = new WebSocket(socketAddress(path));
    socket.onopen = () => resolve(socket);
    socket.onmessage = ({ data }) => tell(`${name}: ${data}`);
    socket.onclose = ({ code }) => {
      sockets.delete(path);
      tell(`${name} is closed (${code}).`, "bad");
      reject(new Error("closed"));
    };
  });
  sockets.set(path, promise);
  return promise;
}

at("echo").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = at("text").value || at("text").placeholder;
  at("text").value = "";
  try {
    const socket = await connected(at("which").value);
    tell(`you: ${text}`, "sent");
    socket.send(text);
  } catch (error) { /* the log says so already */ }
});
