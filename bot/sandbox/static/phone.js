// The customer's phone: talks, the scanner, Moments, oneself.
import { act, get, tell } from './wire.js';
import { avatar, bubble, button, el, option, preview, refill, shortTime } from './draw.js';
import { startComposer } from './composer.js';
import { ask, closeDialog } from './dialog.js';
import { drawFeed } from './feed.js';
import { drawScanner } from './scanner.js';
import { dot, startUnread } from './unread.js';

const body = document.getElementById('phone-body');
const head = document.getElementById('phone-head');
const who = document.getElementById('customer');
const form = document.getElementById('phone-form');
const tabs = [...document.querySelectorAll('#phone-tabs button')];
const titles = { talks: '消息', codes: '扫一扫', feed: '朋友圈', me: '我' };
const NEW = '';
const names = ['果果妈', '北岸', '阿杰', '木木', '一杯清茶', '老周', '云上', '小鹿', '向日葵', '风信子', '阿宝', '青柠'];

export function startPhone(shared) {
  let tab = 'codes';
  let open = null; // {kind: friend|group|kf, corp_id, id…}
  let phone = null;
  const unread = startUnread();

  function newcomer() {
    if (who.value) return { customer: who.value };
    const known = new Set([...who.options].map((o) => o.textContent));
    const fresh = names.find((name) => !known.has(name));
    return { name: fresh || `${names[known.size % names.length]}${known.size}` };
  }

  function choose(next) {
    tab = next;
    open = null;
    return draw();
  }

  async function load() {
    const { customers } = await get('customers', { limit: 200 });
    const before = who.value;
    const wanted = [NEW, ...customers.map((c) => c.person_id)].join();
    if (who.dataset.listed !== wanted) {
      who.dataset.listed = wanted;
      who.replaceChildren(option(NEW, '新客户（扫码时创建）'), ...customers.map((c) => option(c.person_id, c.name)));
      who.value = customers.some((c) => c.person_id === before) ? before : NEW;
    }
    await loadPerson();
  }

  async function loadPerson() {
    const asked = who.value;
    const answer = asked ? await get('phone', { customer: asked }) : null;
    if (asked !== who.value) return;
    phone = answer && answer.ok ? answer : null;
    await draw();
  }

  async function become(personId) {
    if (![...who.options].some((o) => o.value === personId)) await load();
    who.value = personId;
    await loadPerson();
  }

  function title(words, back, ...more) {
    head.replaceChildren(
      el('span', { class: 'side-slot' }, back ? button('', back, { sign: 'chevron-left', 'aria-label': '返回', 'data-key': 'phone-back' }) : null),
      el('b', { class: 'cut' }, words), el('span', { class: 'side-slot' }, ...more));
  }

  async function draw() {
    for (const one of tabs) one.setAttribute('aria-pressed', String(one.dataset.tab === tab && !open));
    form.hidden = !open;
    const fresh = talkKeys().filter(([key, last]) => isNew(key, last)).length;
    unread.looked(who.value);
    document.getElementById('talk-badge').hidden = !fresh;
    document.getElementById('talk-badge').textContent = fresh;
    if (open) return drawChat();
    title(titles[tab]);
    if (tab === 'codes') return drawScanner(body, shared, { newcomer, came });
    if (tab === 'feed') return drawFeed(body, phone, shared, load);
    return tab === 'talks' ? drawTalks() : drawMe();
  }

  /** Something a scan or a link led to: show it here and at the desk. */
  async function came(answer) {
    await become(answer.person_id);
    tab = 'talks';
    if (answer.open_kfid) open = { kind: 'kf', corp_id: answer.corp_id, open_kfid: answer.open_kfid };
    else if (answer.userid) open = { kind: 'friend', corp_id: answer.corp_id, userid: answer.userid };
    else open = { kind: 'group', corp_id: answer.corp_id, chat_id: answer.chat_id };
    await draw();
    await shared.onScanned(answer);
  }

  function talk(key, name, seed, note, last, target, badge) {
    return el('li', {}, el('button', { type: 'button', class: 'person', 'data-key': key, onclick: () => { open = target; draw(); } },
      avatar(name, seed),
      el('span', { class: 'grow' }, el('span', { class: 'cut' }, el('b', {}, name), badge ? el('small', { class: 'corp' }, ` ${badge}`) : ''),
        el('small', { class: 'quiet cut' }, note)),
      el('span', { class: 'when' }, last ? el('small', { class: 'quiet' }, shortTime(last.at, shared.now())) : null, isNew(key, last) ? dot() : null)));
  }

  /** Whether a talk has something the customer has not seen; asked for every talk on every look. */
  function isNew(key, last) {
    const shown = open && [open.userid, open.chat_id, open.open_kfid].includes(key);
    return unread.has(who.value, key, last, { open: Boolean(shown), own: Boolean(last) && (last.sender === 'customer' || last.sender === 'system') });
  }

  function talkKeys() {
    if (!phone) return [];
    const newest = (one) => one.messages[one.messages.length - 1];
    return [...phone.friends.map((f) => [f.userid, f.last]), ...phone.groups.map((g) => [g.chat_id, newest(g)]), ...phone.kf.map((k) => [k.open_kfid, newest(k)])];
  }

  function drawTalks() {
    const rows = phone ? [
      ...phone.friends.map((f) => [f.last ? f.last.at : f.created, talk(f.userid, f.staff_name, f.userid,
        f.stage === 'requested' ? '等待对方确认' : preview(f.last), f.last, { kind: 'friend', corp_id: f.corp_id, userid: f.userid }, `@${f.corp_name}`)]),
      ...phone.groups.map((g) => { const last = g.messages[g.messages.length - 1]; return [last ? last.at : 0,
        talk(g.chat_id, g.name, g.chat_id, last ? preview(last) : `${g.members.length} 人`, last, { kind: 'group', corp_id: g.corp_id, chat_id: g.chat_id })]; }),
      ...phone.kf.map((k) => { const last = k.messages[k.messages.length - 1]; return [last ? last.at : 0,
        talk(k.open_kfid, k.account, k.open_kfid, preview(last), last, { kind: 'kf', corp_id: k.corp_id, open_kfid: k.open_kfid }, '微信客服')]; }),
    ].sort((a, b) => b[0] - a[0]) : [];
    if (!rows.length) return refill(body, el('p', { class: 'empty' }, '还没有消息。先去“扫一扫”扫一个活码。'));
    return refill(body, el('ul', { class: 'people' }, ...rows.map(([, row]) => row)));
  }

  function drawMe() {
    if (!phone) return refill(body, el('p', { class: 'empty' }, '这是一位新客户，扫码之后才有名字。'));
    const { person, friends, groups } = phone;
    const leaving = friends.filter((f) => f.transfers.length);
    return refill(body, el('div', { class: 'me' },
      el('div', { class: 'card' }, avatar(person.name, person.person_id), el('b', {}, person.name),
        el('span', { class: 'chip' }, person.kind === 1 ? '微信用户' : '企业微信用户')),
      el('dl', {}, el('dt', {}, '加的员工'), el('dd', {}, friends.map((f) => f.staff_name).join('、') || '无'),
        el('dt', {}, '所在的群'), el('dd', {}, groups.map((g) => g.name).join('、') || '无'),
        el('dt', {}, 'unionid'), el('dd', {}, person.unionid || '未绑定'),
        ...Object.values(person.external_ids).flatMap((id) => [el('dt', {}, '外部联系人 ID'), el('dd', {}, id)])),
      ...leaving.map((f) => el('div', { class: 'row' }, el('span', {}, `企业想把您从 ${f.staff_name} 转给新同事`),
        button('拒绝转接', async () => { if (await act('refuse_transfer', { corp: f.corp_id, external_userid: f.external_userid })) await load(); }, { kind: 'danger' })))));
  }

  function lines(messages, talkOf, empty) {
    const list = el('ul', { class: 'lines' }, ...messages.map((m) => bubble(m, talkOf)));
    if (empty && !messages.length) list.append(el('li', { class: 'system' }, empty));
    const fresh = body.dataset.shown !== JSON.stringify(open);
    body.dataset.shown = JSON.stringify(open);
    refill(body, list);
    if (fresh) body.scrollTop = body.scrollHeight;
  }

  const openUrl = (url) => window.open(url, '_blank', 'noopener');

  function drawChat() {
    const back = () => choose('talks');
    const mine = (m) => m.sender === 'customer' && (!phone || m.author === '' || Object.values(phone.person.external_ids).includes(m.author));
    const me = phone ? { name: phone.person.name, seed: phone.person.person_id } : { name: '我', seed: 'me' };
    const base = { corp: open.corp_id, open: openUrl, mine };
    if (open.kind === 'friend') {
      const friend = phone && phone.friends.find((f) => f.userid === open.userid && f.corp_id === open.corp_id);
      if (!friend) return back();
      title(friend.staff_name, back, button('删除', remove, { kind: 'danger-words', 'aria-label': `删除 ${friend.staff_name}` }));
      form.hidden = friend.stage === 'requested';
      const empty = form.hidden ? '已发送好友申请，等待对方确认' : '打个招呼吧';
      return lines(friend.messages, { ...base, mine: (m) => m.sender === 'customer', face: (m) => (m.sender === 'customer' ? me : { name: friend.staff_name, seed: friend.userid }) }, empty);
    }
    if (open.kind === 'group') {
      const group = phone && phone.groups.find((g) => g.chat_id === open.chat_id);
      if (!group) return back();
      title(`${group.name}（${group.members.length}）`, back, button('退群', () => leave(group), { kind: 'danger-words' }));
      const named = new Map(group.members.map((m) => [m.id, m.name]));
      return lines(group.messages, { ...base, names: true, face: (m) => (mine(m) ? me : { name: named.get(m.author) || '已退群', seed: m.author }) }, group.notice ? `群公告：${group.notice}` : '还没有人说话');
    }
    const desk = phone && phone.kf.find((k) => k.open_kfid === open.open_kfid);
    if (!desk) return back();
    title(desk.account, back);
    const pick = (item) => say('text', { content: item.content, menu_id: item.id });
    return lines(desk.messages, { ...base, pick, mine: (m) => m.sender === 'customer', face: (m) => (m.sender === 'customer' ? me : { name: desk.account, seed: desk.open_kfid }) });
  }

  async function leave(group) {
    const member = phone.person.external_ids[group.corp_id];
    if (await act('leave_group', { corp: group.corp_id, chat_id: group.chat_id, member })) { await load(); await choose('talks'); }
  }

  async function remove() {
    const friend = phone.friends.find((f) => f.userid === open.userid && f.corp_id === open.corp_id);
    if (!(await ask('删除好友', [{ kind: 'words', content: `删除后，${friend.staff_name} 再也不能给您发消息。` }], '删除'))) return;
    const pair = { corp: open.corp_id, userid: open.userid, external_userid: friend.external_userid };
    if (await act('delete_staff_by_customer', pair)) { await choose('talks'); await load(); }
  }

  async function say(msgtype, content) {
    const base = { corp: open.corp_id, msgtype, [msgtype]: content };
    const friend = open.kind === 'friend' && phone.friends.find((f) => f.userid === open.userid && f.corp_id === open.corp_id);
    const sent = open.kind === 'kf' ? await act('kf_message', { ...base, open_kfid: open.open_kfid, customer: who.value })
      : await act('customer_message', friend ? { ...base, userid: open.userid, external_userid: friend.external_userid } : { ...base, chat_id: open.chat_id, customer: who.value });
    if (sent) { body.dataset.shown = ''; await load(); }
    return Boolean(sent);
  }

  startComposer(form, { label: '以客户身份发消息', placeholder: '发消息', corp: () => open.corp_id, send: say });
  document.addEventListener('paste', (event) => { // a picture of a code, pasted while the scanner shows
    const pasted = [...event.clipboardData.files].find((f) => f.type.startsWith('image/'));
    if (!pasted || open || tab !== 'codes') return;
    event.preventDefault();
    closeDialog();
    shared.readPicture(pasted);
  });
  who.addEventListener('change', () => { open = null; tab = who.value ? 'talks' : 'codes'; return loadPerson(); });
  document.getElementById('new-customer').addEventListener('click', () => {
    who.value = NEW;
    phone = null;
    choose('codes');
    tell('换成了一位新客户：扫一个码，或打开一个链接');
  });
  for (const one of tabs) one.addEventListener('click', () => choose(one.dataset.tab));
  return {
    load,
    /** Follow the day being played: whose phone, which talk. */
    async show(focus, corpId) {
      if (!focus.person_id) return;
      tab = 'talks';
      if (focus.chat_id) open = { kind: 'group', corp_id: corpId, chat_id: focus.chat_id };
      else if (focus.userid) open = { kind: 'friend', corp_id: corpId, userid: focus.userid };
      await become(focus.person_id);
    },
  };
}

