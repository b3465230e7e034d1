// Small drawing tools: elements, icons, times, message bubbles and cards.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined && c !== ''));
  return node;
}

export function option(value, label) {
  return el('option', { value }, label);
}

const hourMinute = new Intl.DateTimeFormat('zh-CN', { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: 'Asia/Shanghai' });
const monthDay = new Intl.DateTimeFormat('zh-CN', { month: 'long', day: 'numeric', timeZone: 'Asia/Shanghai' });
const whole = new Intl.DateTimeFormat('zh-CN', { year: 'numeric', month: 'long', day: 'numeric', weekday: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false, timeZone: 'Asia/Shanghai' });

export function shortTime(epoch, now) {
  const at = new Date(epoch * 1000);
  const sameDay = monthDay.format(at) === monthDay.format(new Date(now * 1000));
  return sameDay ? hourMinute.format(at) : monthDay.format(at);
}

export function fullTime(epoch) {
  return whole.format(new Date(epoch * 1000));
}

/** An icon of the sprite; it says nothing by itself, words stand beside it. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `/sandbox/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** A button with an optional icon in front of its words. */
export function button(words, onclick, { kind = '', sign = '', ...more } = {}) {
  return el('button', { type: 'button', class: kind, onclick, ...more }, sign ? icon(sign) : null, words);
}

export function avatar(name, seed, small = false) {
  const hue = [...String(seed)].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 997, 7) % 6;
  return el('span', { class: `face face-${hue}${small ? ' small' : ''}`, 'aria-hidden': 'true' }, [...String(name)][0] || '客');
}

export function mediaUrl(corpId, mediaId) {
  return `/sandbox/media/${corpId}/${mediaId}`;
}

function picture({ corp }, body) {
  return el('img', { class: 'shot', src: body.pic_url || (body.media_id ? mediaUrl(corp, body.media_id) : ''), alt: '图片' });
}

function linkCard({ open }, body) {
  return el('a', { class: 'card-link', href: body.url, onclick: (event) => { event.preventDefault(); open(body.url); } },
    el('b', {}, body.title || body.url),
    el('span', { class: 'card-row' }, el('span', { class: 'quiet' }, body.desc || ''),
      body.picurl ? el('img', { src: body.picurl, alt: '' }) : null));
}

function miniProgram(_talk, body) {
  return el('div', { class: 'card-mini' }, el('span', { class: 'quiet' }, icon('app-window'), ' 小程序'), el('b', {}, body.title || ''),
    el('span', { class: 'cover' }, body.page || body.pagepath || ''));
}

function file({ corp }, body) {
  return el('a', { class: 'card-file', href: mediaUrl(corp, body.media_id), download: body.filename || '文件' },
    el('span', {}, body.filename || '文件'), icon('file'));
}

/** A menu of customer service; pick(item) is what a click on an entry does. */
function menu({ open, pick }, body) {
  const entry = (item) => {
    const inner = item[item.type] || {};
    if (item.type === 'text') return el('span', {}, inner.content);
    return el('button', { type: 'button', onclick: () => (item.type === 'view' ? open(inner.url) : pick && pick(inner)) }, inner.content);
  };
  return el('span', { class: 'menu-items' }, body.head_content || '', ...(body.list || []).map(entry), body.tail_content || '');
}

const inner = {
  text: (_talk, body) => el('span', { class: 'words' }, body.content || ''),
  image: picture,
  link: linkCard,
  miniprogram: miniProgram,
  video: ({ corp }, body) => el('video', { class: 'shot', src: mediaUrl(corp, body.media_id), controls: true }),
  file,
  msgmenu: menu,
  location: (_talk, body) => el('span', { class: 'words' }, `［位置］${body.name || ''} ${body.address || ''}`),
  business_card: (_talk, body) => el('span', { class: 'words' }, `［名片］${body.userid}`),
  ca_link: ({ open }, body) => linkCard({ open }, { url: body.link_url, title: '获客链接', desc: body.link_url }),
};
const bare = new Set(['image', 'video', 'link', 'miniprogram', 'file', 'ca_link']);
const vias = {
  welcome: '欢迎语', sidebar: '侧边栏发送', passive_reply: '应用回复', mass: '群发', group_welcome: '入群欢迎语', transfer: '接替提示', kf_api: '接口发送', conclusion: '结束语',
};
const kfChanges = { 1: '接待人员已接入', 2: '已转给其他接待人员', 3: '会话已结束', 4: '重新接入' };

function sentence(message) {
  if (message.msgtype !== 'event') return message.body.content || '';
  const { event_type: kind, change_type: change } = message.body;
  if (kind === 'enter_session') return '客户进入会话';
  return kfChanges[change] || '系统消息';
}

/** The inside of a message. talk: {corp, open(url), pick(item)}. */
export function content(message, talk) {
  const draw = inner[message.msgtype] || ((_t, body) => el('span', { class: 'words' }, JSON.stringify(body)));
  return draw(talk, message.body);
}

/** One line of a chat. talk: {corp, open(url), mine(message), face(message) → {name, seed}, names}. */
export function bubble(message, talk) {
  if (message.sender === 'system') return el('li', { class: 'system' }, sentence(message));
  const { name, seed } = talk.face(message);
  const via = vias[message.via];
  const plain = bare.has(message.msgtype) ? 'bubble bare' : 'bubble';
  return el('li', { class: talk.mine(message) ? 'line mine' : 'line', 'data-id': message.id },
    avatar(name, seed, true),
    el('div', { class: 'said' }, talk.names && !talk.mine(message) ? el('small', { class: 'quiet' }, name) : null,
      el('div', { class: plain }, content(message, talk)), via ? el('small', { class: 'via' }, via) : null));
}

export function preview(message) {
  if (!message) return '';
  const words = { image: '［图片］', link: '［链接］', miniprogram: '［小程序］', video: '［视频］', file: '［文件］', msgmenu: '［菜单］' };
  return words[message.msgtype] || sentence(message) || '［消息］';
}

const watched = new WeakMap(); // box -> whether its reader is at the bottom

/** Watch where the reader of a box is; a box that shrinks keeps them at the bottom. */
function reader(box) {
  if (!watched.has(box)) {
    watched.set(box, true);
    box.addEventListener('scroll', () => watched.set(box, box.scrollHeight - box.scrollTop - box.clientHeight < 60));
    new ResizeObserver(() => { if (watched.get(box) && box.querySelector('.lines')) box.scrollTop = box.scrollHeight; }).observe(box);
  }
  return watched.get(box);
}

/** Replace a box's content; the reader stays at the bottom when there, and the focus on the same thing. */
export function refill(box, ...children) {
  const low = reader(box);
  const place = box.scrollTop;
  const held = box.contains(document.activeElement) ? document.activeElement.dataset.key : '';
  box.replaceChildren(...children.filter(Boolean));
  const again = held && [...box.querySelectorAll('[data-key]')].find((one) => one.dataset.key === held);
  if (again) again.focus({ preventScroll: true });
  const talk = box.querySelector('.lines');
  box.scrollTop = low && talk ? box.scrollHeight : place;
  if (!talk) watched.set(box, true);
}
