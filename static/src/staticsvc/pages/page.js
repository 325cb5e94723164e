"use strict";
const at = (id) => document.getElementById(id);

const size = (bytes) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return (unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)) + " " + units[unit];
};

const make = (name, properties, ...parts) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...parts);
  return made;
};

const say = (element, text, kind) => {
  element.textContent = text;
  element.className = "said " + (kind || "");
};

const socketAddress = (path) => (location.protocol === "https:" ? "wss:" : "ws:") + "//" + location.host + path;

// Pauses between attempts to connect: short at first, random, so that not all come back at once, and longer while it fails.
const pauseBefore = (failures) => Math.min(500 * 2 ** failures, 15000) * (0.5 + Math.random());

const MOST_FAILURES = 4; // of a service that has never answered; it is not part of this deployment

// Adds a line to a log and keeps its end in sight; old lines go.
function addLine(log, line) {
  log.append(line);
  while (log.children.length > 200) log.firstChild.remove();
  log.scrollTop = log.scrollHeight;
}
