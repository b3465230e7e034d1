// Talking to the sandbox's admin API.
/** The local WeCom cannot be reached. */
export class Offline extends Error {}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`/sandbox/api/${path}`, options);
  } catch (fault) {
    throw new Offline(String(fault));
  }
  return answer.json();
}

export function get(path, query = {}) {
  return ask(`${path}?${new URLSearchParams(query)}`);
}

export function send(method, path, body = {}) {
  return ask(path, { method, body: JSON.stringify(body) });
}

export function post(path, body = {}) {
  return send('POST', path, body);
}

let hide = 0;
/** Show a sentence at the top of the page for a few seconds. */
export function tell(text) {
  const notice = document.getElementById('notice');
  if (!notice) return;
  notice.textContent = text;
  notice.hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => { notice.hidden = true; }, 4000);
}

function good(answer) {
  if (answer.ok) return answer;
  tell(answer.error.message);
  return null;
}

/** Post, and say so when it was refused; resolves to the answer or null. */
export async function act(path, body) {
  return good(await post(path, body));
}

/** Upload a file; resolves to the answer or null. query: kind, corp, scene. */
export async function upload(path, file, query = {}) {
  const form = new FormData();
  form.append('file', file);
  return good(await ask(`${path}?${new URLSearchParams(query)}`, { method: 'POST', body: form }));
}
