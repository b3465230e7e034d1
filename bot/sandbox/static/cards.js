// App messages as a staff member sees them: text cards, news, template cards with working buttons.
import { avatar, el } from './draw.js';

function plain(html) {
  const parsed = new DOMParser().parseFromString(String(html || ''), 'text/html');
  return parsed.body.textContent || '';
}

/** Text in which only <a href> is honoured. */
function linked(html, open) {
  const parsed = new DOMParser().parseFromString(String(html || ''), 'text/html');
  const pieces = [...parsed.body.childNodes].map((node) => {
    if (node.nodeName !== 'A') return node.textContent;
    return el('a', { href: node.getAttribute('href'), onclick: (e) => { e.preventDefault(); open(node.getAttribute('href')); } }, node.textContent);
  });
  return el('span', { class: 'words' }, ...pieces);
}

function textcard(message, api) {
  return el('button', { type: 'button', class: 'app-card', onclick: () => api.open(message.body.url) },
    el('b', {}, message.body.title), el('span', { class: 'words' }, plain(message.body.description)),
    el('span', { class: 'more' }, message.body.btntxt || '详情'));
}

function news(message, api) {
  return el('div', { class: 'app-card' }, ...message.body.articles.map((a) =>
    el('button', { type: 'button', class: 'article', onclick: () => a.url && api.open(a.url) },
      a.picurl ? el('img', { src: a.picurl, alt: '' }) : null,
      el('b', {}, a.title), el('span', { class: 'quiet' }, a.description))));
}

function notice(message) {
  return el('div', { class: 'app-card' }, el('b', {}, message.body.title), el('span', { class: 'quiet' }, message.body.description),
    el('dl', {}, ...message.body.content_item.flatMap((i) => [el('dt', {}, i.key), el('dd', {}, i.value)])));
}

function rows(card) {
  const list = card.horizontal_content_list || [];
  if (!list.length) return null;
  return el('dl', {}, ...list.flatMap((r) => [el('dt', {}, r.keyname), el('dd', {}, r.value || '')]));
}

function choices(card) {
  if (card.checkbox) {
    const kind = card.checkbox.mode === 1 ? 'checkbox' : 'radio';
    return [[card.checkbox.question_key, el('fieldset', {}, ...card.checkbox.option_list.map((o) =>
      el('label', {}, el('input', { type: kind, name: card.task_id, value: o.id, checked: Boolean(o.is_checked) }), ` ${o.text}`)))]];
  }
  return (card.select_list || []).concat(card.button_selection ? [card.button_selection] : []).map((s) =>
    [s.question_key, el('label', { class: 'field' }, s.title || '', el('select', {}, ...s.option_list.map((o) =>
      el('option', { value: o.id, selected: o.id === s.selected_id }, o.text))))]);
}

function chosen(box) {
  const select = box.querySelector('select');
  return select ? [select.value] : [...box.querySelectorAll('input:checked')].map((i) => i.value);
}

function templateCard(message, api) {
  const changed = message.seen_as || {};
  const card = { ...message.body, ...(changed.card || {}) };
  const asked = choices(card);
  const click = (key) => api.click(message.msgid, key, Object.fromEntries(asked.map(([q, box]) => [q, chosen(box)])));
  const buttons = changed.replace_name
    ? [el('button', { type: 'button', disabled: true }, changed.replace_name)]
    : [...(card.button_list || []).map((b) => el('button', { type: 'button', class: b.style === 1 || !b.style ? 'primary' : '', onclick: () => (b.type === 1 ? api.open(b.url) : click(b.key)) }, b.text)),
      ...(card.submit_button ? [el('button', { type: 'button', class: 'primary', onclick: () => click(card.submit_button.key) }, card.submit_button.text)] : [])];
  const title = card.main_title || {};
  const jump = (card.jump_list || []).map((j) => el('button', { type: 'button', class: 'more', onclick: () => j.url && api.open(j.url) }, j.title));
  const whole = card.card_action && card.card_action.url
    ? el('button', { type: 'button', class: 'more', onclick: () => api.open(card.card_action.url) }, '查看详情') : null;
  return el('div', { class: 'app-card' },
    card.source && card.source.desc ? el('small', { class: 'quiet' }, card.source.desc) : null,
    el('b', {}, title.title || ''), title.desc ? el('span', { class: 'quiet' }, title.desc) : null,
    card.emphasis_content ? el('span', { class: 'emphasis' }, card.emphasis_content.title || '', el('small', {}, card.emphasis_content.desc || '')) : null,
    card.sub_title_text ? el('span', { class: 'words' }, card.sub_title_text) : null,
    card.quote_area ? el('blockquote', {}, card.quote_area.title || '', ' ', card.quote_area.quote_text || '') : null,
    rows(card), ...asked.map(([, box]) => box), ...jump, whole,
    buttons.length ? el('span', { class: 'buttons' }, ...buttons) : null,
    ...((card.action_menu && card.action_menu.action_list) || []).map((a) => el('button', { type: 'button', class: 'more', onclick: () => click(a.key) }, a.text)));
}

const drawers = {
  text: (message, api) => el('div', { class: 'bubble' }, linked(message.body.content, api.open)),
  markdown: (message) => el('div', { class: 'bubble' }, el('span', { class: 'words' }, plain(message.body.content).replace(/\*\*|`|^#+ /gm, ''))),
  textcard,
  news,
  miniprogram_notice: notice,
  template_card: templateCard,
  image: (message, api) => el('img', { class: 'shot', src: `/sandbox/media/${api.corp}/${message.body.media_id}`, alt: '图片' }),
  file: (message) => el('div', { class: 'bubble' }, `［文件］${message.body.filename || ''}`),
};

/** One line of the conversation with an app. api: {open(url), click(msgid, key, selected), corp, name}. */
export function appLine(message, api) {
  if (message.recalled) return el('li', { class: 'system' }, '应用撤回了一条消息');
  const mine = message.sender === 'staff';
  return el('li', { class: mine ? 'line mine' : 'line', 'data-id': message.id }, avatar(mine ? '我' : api.name, mine ? message.author : api.name, true),
    el('div', { class: 'said' }, drawers[message.msgtype](message, api)));
}
