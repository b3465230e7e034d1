// The folding log at the foot: callbacks and API calls in one list, each line unfolds to what was really sent.
import { get, tell } from './wire.js';
import { button, el } from './draw.js';

const panel = document.getElementById('log');
const brief = document.getElementById('log-brief');
const list = document.getElementById('log-lines');
const kindBox = document.getElementById('log-kind');
const badBox = document.getElementById('log-bad');
const findBox = document.getElementById('log-find');
const states = { waiting: '投递中', delivered: '已送达', failed: '失败', lost: '丢失（故障规则）', no_url: '未配置地址' };
const time = new Intl.DateTimeFormat('zh-CN', { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false, timeZone: 'Asia/Shanghai' });
const open = new Set();
let entries = [];

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text || '（空）'; }
}

function prettyXml(text) {
  return text.replace(/></g, '>\n<');
}

function ofCallback(one) {
  const last = one.attempts[one.attempts.length - 1];
  const tries = one.attempts.length > 1 ? `，试了 ${one.attempts.length} 次` : '';
  return {
    key: `callback-${one.id}`, kind: 'callback', at: one.at, good: one.state === 'delivered' || one.state === 'waiting',
    name: one.change_type || one.event, words: `${one.summary} ${states[one.state]}${tries}${last ? ` ${last.ms} 毫秒` : ''}`,
    detail: async () => `${one.attempts.map((a) => `HTTP ${a.http} ${a.error} ${a.ms} 毫秒`).join('\n')}\n\n解密后的内容：\n${prettyXml(one.xml)}`,
  };
}

function ofCall(one) {
  return {
    key: `call-${one.id}`, kind: 'call', at: one.at, good: one.errcode === 0 && one.http === 200,
    name: one.path, words: `errcode ${one.errcode}${one.http === 200 ? '' : ` HTTP ${one.http}`} ${one.ms} 毫秒${one.faults.length ? `，故障 ${one.faults.join('、')}` : ''}`,
    detail: async () => {
      const { call } = await get(`log/api/${one.id}`);
      if (!call) return '这条记录已经不在日志里';
      return `${call.method} /cgi-bin/${call.path}?${call.query}\n${call.supported ? '' : '本地企业微信不支持这个接口\n'}\n请求：\n${pretty(call.request)}\n\n回答：\n${pretty(call.answer)}`;
    },
  };
}

function line(one) {
  const inside = el('div', { class: 'entry' });
  const folded = el('details', { 'data-key': one.key }, el('summary', {},
    el('span', { class: one.good ? 'chip good' : 'chip bad' }, one.good ? '成功' : '注意'), el('time', {}, time.format(new Date(one.at * 1000))),
    `${one.kind === 'callback' ? '回调' : '接口'} `, el('b', {}, one.name), el('span', { class: 'quiet' }, ` ${one.words}`)), inside);
  const unfold = async () => {
    const text = await one.detail();
    const copy = async () => {
      await navigator.clipboard.writeText(text).then(() => tell('已复制'), () => tell('浏览器不允许复制'));
    };
    inside.replaceChildren(el('pre', { tabindex: 0 }, text), button('复制', copy, { sign: 'copy' }));
  };
  folded.addEventListener('toggle', () => {
    if (!folded.open) { open.delete(one.key); return; }
    open.add(one.key);
    unfold();
  });
  folded.open = open.has(one.key);
  return el('li', {}, folded);
}

function draw() {
  const words = findBox.value.trim().toLowerCase();
  const wanted = entries.filter((one) => (!kindBox.value || one.kind === kindBox.value) && (!badBox.checked || !one.good)
    && (!words || `${one.name} ${one.words}`.toLowerCase().includes(words)));
  const known = new Map([...list.children].map((li) => [li.dataset.mark, li]));
  list.replaceChildren(...(wanted.length ? wanted.map((one) => {
    const mark = `${one.key} ${one.words}`;
    const kept = known.get(mark);
    if (kept) return kept;
    const made = line(one);
    made.dataset.mark = mark;
    return made;
  }) : [el('li', { class: 'quiet' }, '没有符合条件的记录')]));
}

export async function loadLog() {
  const limit = panel.open ? 100 : 1;
  const [told, made] = await Promise.all([get('log/callbacks', { limit }), get('log/api', { limit })]);
  const [newest] = told.callbacks;
  brief.textContent = newest ? `最近：${newest.change_type || newest.event}，${states[newest.state]}` : '还没有回调';
  if (!panel.open) return;
  entries = [...told.callbacks.map(ofCallback), ...made.calls.map(ofCall)].sort((a, b) => b.at - a.at);
  draw();
}

panel.addEventListener('toggle', () => { if (panel.open) loadLog(); });
for (const box of [kindBox, badBox, findBox]) box.addEventListener('input', draw);
