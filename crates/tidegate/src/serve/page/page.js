"use strict";
const EVERY_MS = 2000;
const at = (id) => document.getElementById(id);
let chosen = null;

// Everything that the server tells is text: a name or a path may hold anything.
function made(kind, text, look) {
  const element = document.createElement(kind);
  element.textContent = text ?? "";
  if (look) element.className = look;
  return element;
}

async function asked(path) {
  const answer = await fetch(`/_tidegate/${path}`, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error((await answer.json()).message ?? answer.statusText);
  return answer.json();
}

function linked(url) {
  const link = made("a", url);
  link.href = url;
  link.rel = "noreferrer";
  return link;
}

function ofRealms(told, name) {
  return told.realms.flatMap((realm) => realm[name].map((one) => ({ ...one, region: realm.region })));
}

function showStatus(told) {
  const stands = told.enforcement === "kernel" ? "the kernel enforces" : "the proxy engine enforces";
  at("server").textContent = `${told.version} at ${told.api}, ${stands}, revision ${told.revision}`;
  const urls = ofRealms(told, "urls").map((one) => {
    const line = made("li", `${one.name} ${one.stage} `);
    line.append(linked(one.url ?? one.tls ?? one.by_path));
    return line;
  });
  at("urls").replaceChildren(...(urls.length ? urls : [made("li", "no API yet", "dim")]));
  const targets = ofRealms(told, "targets").map((one) => {
    const line = made("li", `${one.target_group} ${one.target} `);
    line.append(made("span", one.health, one.health === "healthy" ? "good" : "bad"));
    if (one.reason) line.append(made("span", ` ${one.reason}: ${one.description ?? ""}`, "dim"));
    return line;
  });
  at("targets").replaceChildren(...(targets.length ? targets : [made("li", "no target yet", "dim")]));
  at("problems").textContent = ofRealms(told, "problems").map((one) => one.text).join("; ");
}

function showRequests(told) {
  const rows = told.requests.map((one) => {
    const row = document.createElement("tr");
    row.append(made("td", one.status, one.outcome === "passed" ? "good" : "bad"));
    const request = document.createElement("td");
    const button = made("button", `${one.method} ${one.path}`);
    button.addEventListener("click", () => explain(one).catch(complain));
    request.append(button);
    row.append(request, made("td", one.reason ?? one.outcome), made("td", new Date(one.started).toLocaleTimeString(), "dim"));
    return row;
  });
  at("requests").replaceChildren(...rows);
}

async function explain(one) {
  chosen = one.request_id;
  const told = await asked(`explain/${one.request_id}`);
  // Another was chosen meanwhile.
  if (chosen !== one.request_id) return;
  at("request").textContent = `${one.method} ${one.path}: ${told.status}, ${told.reason ?? told.outcome}`;
  at("way").replaceChildren(...told.hops.map((hop) => {
    const line = made("li", "", hop.verdict);
    line.append(made("small", hop.kind), made("span", hop.detail || hop.name || hop.id));
    return line;
  }));
  at("fix").textContent = told.fix.join("\n");
  at("mend").hidden = told.fix.length === 0;
  at("hints").replaceChildren(...told.hints.map((hint) => made("li", `${hint.code}: ${hint.text}`)));
  at("explained").hidden = false;
}

function complain(error) {
  at("server").textContent = error.message;
}

async function look() {
  try {
    const [status, requests] = await Promise.all([asked("status"), asked("requests")]);
    showStatus(status);
    showRequests(requests);
  } catch (error) {
    complain(error);
  }
  setTimeout(look, EVERY_MS);
}

look();
