"use strict";
// Keeps the page as the cluster is: each event brings the sections that have changed.
(() => {
  const body = document.body;
  const link = document.getElementById("link");
  const text = document.getElementById("link-text");
  let version = body.dataset.version;
  let skew = Number(body.dataset.now) - Date.now(); // the server's clock is the cluster's, the browser's may be wrong
  let source = null;
  let lost = 0;
  let heard = 0;

  const say = (state, words) => {
    if (link.dataset.state === state && text.textContent === words) return;
    link.dataset.state = state;
    text.textContent = words;
  };

  // morph makes a node what another one is and keeps what has not changed: focus, open details and selections stay.
  const morph = (from, to) => {
    if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || (from.id || "") !== (to.id || "")) {
      from.replaceWith(to);
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      return;
    }
    if (from.nodeName === "TIME" && from.getAttribute("datetime") === to.getAttribute("datetime")) return;
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && !(name === "open" && from.nodeName === "DETAILS")) from.removeAttribute(name);
    }
    for (const { name, value } of [...to.attributes]) {
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
    const wanted = [...to.childNodes];
    for (let i = 0; i < wanted.length; i++) {
      const old = from.childNodes[i];
      if (old) morph(old, wanted[i]);
      else from.append(wanted[i]);
    }
    while (from.childNodes.length > wanted.length) from.lastChild.remove();
  };

  const age = (ms) => {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 90) return s + " s";
    if (s < 5400) return Math.round(s / 60) + " min";
    if (s < 172800) return Math.round(s / 3600) + " h";
    return Math.round(s / 86400) + " days";
  };

  const clock = (date) => {
    const today = Math.abs(Date.now() + skew - date) < 43200000;
    return today ? date.toLocaleTimeString("en-GB") : date.toLocaleDateString("en-CA") + " " + date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  };

  // tick writes every time as the clock here shows it, with its age; the whole time is in its title.
  const tick = () => {
    const now = Date.now() + skew;
    for (const time of document.querySelectorAll("time[datetime]")) {
      const date = new Date(time.dateTime);
      const words = clock(date) + " (" + age(now - date) + ")";
      if (time.textContent !== words) time.textContent = words;
    }
    if (lost) say("lost", "connection lost at " + clock(new Date(lost + skew)) + ", trying again");
  };

  const take = (event) => {
    heard = Date.now();
    const news = JSON.parse(event.data);
    version = event.lastEventId;
    skew = news.now - Date.now();
    document.title = news.title;
    if (news.checked) document.getElementById("checked").setAttribute("datetime", news.checked);
    for (const [name, html] of Object.entries(news.sections)) {
      const part = document.getElementById("part-" + name);
      if (!part) continue;
      const next = part.cloneNode(false);
      next.innerHTML = html; // made and escaped by the server, from this origin alone
      morph(part, next);
    }
    tick();
  };

  const connect = () => {
    if (source) source.close();
    heard = Date.now();
    source = new EventSource("events?after=" + encodeURIComponent(version));
    source.addEventListener("open", () => { heard = Date.now(); lost = 0; say("live", "live"); });
    source.addEventListener("news", take);
    source.addEventListener("beat", () => { heard = Date.now(); });
    source.addEventListener("error", () => { if (!lost) { lost = Date.now(); tick(); } });
  };

  // A browser gives up for good after an answer that is no stream, and does not see a connection that is silently gone.
  setInterval(() => {
    tick();
    const silent = Date.now() - heard;
    if (source && (source.readyState === EventSource.CLOSED ? silent > 3000 : silent > 25000)) {
      if (!lost) lost = Date.now();
      connect();
    }
  }, 1000);
  window.addEventListener("online", connect);
  window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  window.addEventListener("pagehide", () => { if (source) source.close(); });
  say("wait", "connecting");
  connect();
  tick();
})();
