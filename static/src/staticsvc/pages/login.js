// Who is logged in. The dialogue is the browser's own; the page sees the name and nothing else.
async function whoIsThere(ask) {
  let answer;
  try {
    answer = await fetch("/static/.login" + (ask ? "" : "?quietly"), { cache: "no-store" });
  } catch (error) {
    return;
  }
  const { user, logins } = answer.ok ? await answer.json() : { user: null, logins: answer.status === 401 };
  at("login").hidden = Boolean(user) || !logins;
  if (user) at("user").textContent = `Logged in as ${user}`;
  else if (ask && answer.status !== 401) at("user").textContent = `Login failed (${answer.status})`;
}
at("login").addEventListener("click", () => whoIsThere(true));
