// The open talk at the desk: with a customer, in a group, with an app, or in customer service.
import { act, get } from './wire.js';
import { bubble, button, el, refill } from './draw.js';
import { appLine } from './cards.js';
import { ask } from './dialog.js';

const head = document.getElementById('desk-head');
const lines = document.getElementById('desk-lines');
const menuBox = document.getElementById('app-menu');

function fill(items, fresh, empty = '还没有消息') {
  const list = el('ul', { class: 'lines' }, ...items);
  if (!items.length) list.append(el('li', { class: 'system' }, empty));
  refill(lines, list);
  if (fresh) lines.scrollTop = lines.scrollHeight;
}

async function drawCustomer(person, desk, at) {
  const pair = { corp: at.corp, userid: at.userid, external_userid: person.external_userid };
  const accept = async () => { if (await act('confirm', pair)) await at.reload(); };
  const remove = async () => {
    const sure = await ask('删除客户', [{ kind: 'words', content: `删除后，${person.remark || person.name} 会从你的客户里消失，对方不会收到通知。` }], '删除');
    if (sure && await act('delete_customer_by_staff', pair)) await at.reload();
  };
  head.replaceChildren(el('b', { class: 'cut' }, person.remark || person.name),
    el('span', { class: 'chips' }, ...person.tags.slice(0, 3).map((t) => el('span', { class: 'chip' }, t.name))),
    el('span', { class: 'end' }, person.stage === 'full' ? button('删除客户', remove, { kind: 'danger' }) : button('确认添加', accept, { kind: 'primary' })));
  const { messages } = await get('chat', pair);
  const face = (m) => (m.sender === 'staff' ? { name: desk.staff.name, seed: at.userid } : { name: person.name, seed: person.person_id });
  fill(messages.map((m) => bubble(m, { corp: at.corp, open: at.visit, mine: (one) => one.sender === 'staff', face })), at.fresh);
  return { silent: person.stage === 'requested' };
}

function drawGroup(group, desk, at) {
  const base = { corp: at.corp, chat_id: group.chat_id };
  const named = new Map(group.members.map((m) => [m.id, m]));
  const owns = group.owner === at.userid;
  head.replaceChildren(el('b', { class: 'cut' }, group.name), el('small', { class: 'quiet' }, `${group.members.length} 人 · ${owns ? '你是群主' : `群主 ${(named.get(group.owner) || { name: '已离开' }).name}`}`),
    el('span', { class: 'end' }, button('群管理', () => manage(group, desk, base, at), { sign: 'settings-2' })));
  const talk = {
    corp: at.corp, open: at.visit, names: true, mine: (m) => m.author === at.userid,
    face: (m) => ({ name: (named.get(m.author) || { name: '已退群' }).name, seed: m.author }),
  };
  fill(group.messages.map((m) => bubble(m, talk)), at.fresh, group.notice ? `群公告：${group.notice}` : '还没有人说话');
  return { silent: false };
}

/** Everything an owner does with a group, in one form. */
async function manage(group, desk, base, at) {
  const staff = (await get('staff', { corp: at.corp })).staff.filter((s) => s.serves_customers);
  const inside = new Set(group.members.map((m) => m.id));
  const outside = desk.conversations.filter((c) => c.stage === 'full' && !inside.has(c.external_userid));
  const fields = [
    { name: 'name', label: '群名称', required: true, value: group.name },
    { name: 'notice', label: '群公告', kind: 'textarea', value: group.notice },
    { name: 'owner', label: '群主', kind: 'select', value: group.owner, options: staff.map((s) => [s.userid, s.name]) },
    { name: 'colleague', label: '拉同事进群', kind: 'select', value: '', options: [['', '不拉'], ...staff.filter((s) => !inside.has(s.userid)).map((s) => [s.userid, s.name])] },
    { name: 'invite', label: '邀请客户', kind: 'choices', options: outside.map((c) => [c.external_userid, c.remark || c.name]) },
    { name: 'remove', label: '移出群成员', kind: 'choices', options: group.members.filter((m) => m.id !== group.owner).map((m) => [m.id, m.name]) },
    { name: 'dismiss', label: '解散', kind: 'choices', options: [['yes', '解散这个群']] },
  ];
  if (group.welcomes.length) fields.splice(3, 0, { name: 'welcome', label: '入群欢迎语', kind: 'select', value: group.welcome, options: [['', '不使用'], ...group.welcomes.map((w) => [w.id, w.text || w.id])] });
  const given = await ask('群管理', fields, '保存');
  if (!given) return;
  const change = (more) => act('change_group', { ...base, ...more });
  if (given.dismiss.length) await change({ dismiss: true });
  else {
    if (given.name !== group.name) await change({ name: given.name });
    if (given.notice !== group.notice) await change({ notice: given.notice });
    if (given.welcome !== undefined && given.welcome !== group.welcome) await change({ welcome: given.welcome });
    if (given.colleague) await act('add_staff_to_group', { ...base, userid: given.colleague });
    for (const customer of given.invite) await act('join_group', { ...base, customer, scene: 1 });
    for (const member of given.remove) await act('leave_group', { ...base, member, removed: true });
    if (given.owner !== group.owner) await change({ owner: given.owner });
  }
  await at.reload();
}

function drawMenu(app, at) {
  const press = async (item) => {
    if (item.type === 'view') return at.visit(item.url);
    if (item.type === 'click') return act('menu_click', { corp: at.corp, agentid: app.agentid, userid: at.userid, key: item.key });
    return null;
  };
  const below = async (top) => {
    const given = await ask(top.name, [{ name: 'which', label: '选择', kind: 'select', value: '0', options: top.sub_button.map((b, i) => [String(i), b.name]) }], '点击');
    if (given) await press(top.sub_button[Number(given.which)]);
  };
  menuBox.hidden = !app.menu.length;
  menuBox.replaceChildren(...app.menu.map((top) => button(top.name, () => (top.sub_button && top.sub_button.length ? below(top) : press(top)))));
}

function drawApp(app, at) {
  head.replaceChildren(el('b', { class: 'cut' }, app.name), el('small', { class: 'quiet' }, '应用消息'),
    el('span', { class: 'end' }, app.home_url ? button('打开应用', async () => { await act('enter_app', { corp: at.corp, agentid: app.agentid, userid: at.userid }); at.visit(app.home_url); }) : null));
  const api = {
    corp: at.corp,
    open: at.visit,
    name: app.name,
    click: async (msgid, key, selected) => {
      if (await act('card_click', { corp: at.corp, userid: at.userid, msgid, key, selected })) await at.reload();
    },
  };
  drawMenu(app, at);
  fill(app.messages.map((m) => appLine(m, api)), at.fresh);
  return { silent: false };
}

function drawKf(one, desk, at) {
  const base = { corp: at.corp, open_kfid: one.open_kfid, external_userid: one.external_userid };
  const doing = (path, more = {}) => async () => { if (await act(path, { ...base, ...more })) await at.reload(); };
  const mine = one.state === 3 && one.servicer === at.userid;
  const words = { 0: '新会话', 1: '智能接待中', 2: '排队中', 3: `${one.servicer_name} 接待中`, 4: '已结束' }[one.state];
  head.replaceChildren(el('b', { class: 'cut' }, one.name), el('span', { class: 'chip' }, words),
    el('span', { class: 'end' }, mine ? button('结束会话', doing('kf_end'), { kind: 'danger' })
      : one.state === 4 ? null : button('接入', doing('kf_accept', { userid: at.userid }), { kind: 'primary' })));
  const face = (m) => (m.sender === 'customer' ? { name: one.name, seed: one.person_id } : { name: m.sender === 'staff' ? one.servicer_name || desk.staff.name : one.account, seed: m.author || one.open_kfid });
  fill(one.messages.map((m) => bubble(m, { corp: at.corp, open: at.visit, mine: (x) => x.sender !== 'customer', face })), at.fresh);
  return { silent: !mine };
}

/** Draw what is open; null when it is not there any more. at: {corp, userid, reload, visit, fresh}. */
export async function drawTalk(open, desk, at) {
  menuBox.hidden = true;
  const found = open && {
    customer: () => desk.conversations.find((c) => c.external_userid === open.id),
    group: () => desk.groups.find((g) => g.chat_id === open.id),
    app: () => desk.apps.find((a) => String(a.agentid) === open.id),
    kf: () => desk.kf.find((k) => k.open_kfid === open.account && k.external_userid === open.id),
  }[open.kind]();
  if (!found) {
    head.replaceChildren(el('b', {}, '未选择会话'));
    refill(lines, el('p', { class: 'empty' }, '从左边选一个会话。'));
    return null;
  }
  return { customer: drawCustomer, group: drawGroup, app: (a) => drawApp(a, at), kf: drawKf }[open.kind](found, desk, at);
}
