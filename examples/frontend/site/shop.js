// Lists and adds tasks by the backend, which answers below /api of this origin.
"use strict";

const element = (id) => document.getElementById(id);

function say(id, text) {
  element(id).textContent = text; // never markup: it comes from others
  element(id).hidden = text === "";
}

async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || response.statusText);
  return answer;
}

async function show() {
  const { tasks } = await ask("/api/tasks");
  element("tasks").replaceChildren(...tasks.map((task) => {
    const item = document.createElement("li");
    item.textContent = task.title;
    return item;
  }));
  say("trouble", "");
}

function attempt(action) {
  return action().catch((error) => say("trouble", error.message));
}

element("add").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    await ask("/api/tasks", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ title: element("title").value }),
    });
    element("add").reset();
    await show();
  });
});

attempt(async () => say("environment", (await ask("/config.json")).environment));
attempt(show);
