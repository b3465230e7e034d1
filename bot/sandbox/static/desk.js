// The staff member's WeCom: who sits there, the rail, the list, what is open, and the sidebar beside it.
import { act, get } from './wire.js';
import { avatar, el, option, preview, refill, shortTime } from './draw.js';
import { startComposer } from './composer.js';
import { ask } from './dialog.js';
import { drawTalk } from './desk_talk.js';
import { drawTasks } from './desk_tasks.js';
import { startSidebar } from './sidebar.js';
import { dot, startUnread } from './unread.js';

const staffBox = document.getElementById('staff');
const list = document.getElementById('desk-list');
const form = document.getElementById('desk-form');
const frame = document.getElementById('desk');
const rail = [...document.querySelectorAll('#rail button')];

function badge(id, count) {
  const box = document.getElementById(id);
  box.hidden = !count;
  box.textContent = count;
  box.setAttribute('aria-label', `${count} 项待办`);
}

export function startDesk(shared) {
  let desk = null;
  let open = null; // {kind: customer|group|app|kf|tasks, id, account}
  let section = 'talks';
  const unread = startUnread();
  const sidebar = startSidebar({ context, desk: () => desk, onProfile: (external) => select('customer', external), onChat: (chat) => select('group', chat), onKf: (account, id) => select('kf', id, account), reload: () => shared.reload() });

  function context() {
    const kind = open ? open.kind : '';
    const kf = kind === 'kf' ? open.id : '';
    const customer = kind === 'customer' ? open.id : kf;
    const chat = kind === 'group' ? open.id : '';
    const entry = kf ? 'single_kf_tools' : customer ? 'single_chat_tools' : chat ? 'group_chat_tools' : 'normal';
    return { corp_id: shared.corp, userid: staffBox.value, entry, external_userid: customer, chat_id: chat, open_kfid: kf ? open.account : '' };
  }

  function app() {
    return desk && desk.apps[0];
  }

  function pane(name) {
    frame.dataset.pane = name;
  }

  async function loadStaff() {
    const { staff } = await get('staff', { corp: shared.corp });
    const before = staffBox.value;
    const usable = staff.filter((s) => s.status === 1);
    staffBox.replaceChildren(...usable.map((s) => option(s.userid, `${s.name} · ${s.contact_permission ? s.position : '无客户联系权限'}`)));
    const first = usable.find((s) => s.serves_customers) || usable[0];
    staffBox.value = usable.some((s) => s.userid === before) ? before : first.userid;
    if (staffBox.value !== before) await sitDown();
  }

  /** Another member sits down: their cookie for OAuth, and the product forgets who was there before. */
  async function sitDown(wanted) {
    document.cookie = `sandbox_staff_${shared.corp}=${encodeURIComponent(staffBox.value)}; path=/; samesite=lax`;
    open = null;
    section = 'talks';
    pane('list');
    await load();
    const mine = shared.apps().find((a) => a.sign_out_url);
    if (mine) await fetch(mine.sign_out_url, { mode: 'no-cors', credentials: 'include' }).catch(() => null);
    const first = wanted || (desk.conversations[0] && { kind: 'customer', id: desk.conversations[0].external_userid });
    if (first) { await select(first.kind, first.id, first.account); if (!wanted) pane('list'); } else sidebar.show(app() && app().sidebar_url);
  }

  async function load() {
    const asked = staffBox.value;
    if (!asked) return;
    const answer = await get('desk', { corp: shared.corp, userid: asked });
    if (!answer.ok || asked !== staffBox.value) return;
    desk = answer;
    badge('task-badge', desk.tasks.waiting);
    badge('kf-badge', desk.kf.filter((k) => k.state === 2 || (k.state === 3 && k.servicer === asked)).length);
    document.getElementById('rail-face').replaceChildren(avatar(desk.staff.name, desk.staff.userid));
    drawList();
    await drawOpen();
  }

  async function select(kind, id, account = '') {
    open = { kind, id, account };
    section = kind === 'kf' ? 'kf' : kind === 'tasks' ? 'tasks' : 'talks';
    pane('chat');
    drawList();
    await drawOpen(true);
    if (app() && (kind === 'customer' || kind === 'group' || kind === 'kf')) sidebar.show(app().sidebar_url);
  }

  function entry(kind, id, title, note, seed, at, { mark = '', wechat = false, account = '', last = null } = {}) {
    const chosen = open && open.kind === kind && open.id === id && open.account === account;
    return el('li', {}, el('button', { type: 'button', class: 'person', 'data-key': `${kind}-${account}${id}`, 'aria-current': String(Boolean(chosen)), onclick: () => select(kind, id, account) },
      avatar(title, seed),
      el('span', { class: 'grow' }, el('b', { class: 'cut' }, title),
        el('small', { class: 'quiet cut' }, mark ? el('span', { class: wechat ? 'corp wechat' : 'corp' }, `${mark} `) : '', note)),
      el('span', { class: 'when' }, at ? el('small', { class: 'quiet' }, shortTime(at, shared.now())) : null,
        unread.has(staffBox.value, `${kind}-${account}${id}`, last, { open: chosen, own: Boolean(last) && (last.sender === 'staff' || last.sender === 'system') }) ? dot() : null)));
  }

  function talks() {
    const last = (one) => one.messages[one.messages.length - 1];
    const rows = [
      ...desk.apps.map((a) => {
        const said = last(a);
        const note = said ? (said.body.title || (said.body.main_title && said.body.main_title.title) || said.body.content || '［卡片］') : '应用消息';
        return [said ? said.at : 0, entry('app', String(a.agentid), a.name, note, a.name, said && said.at, { mark: '应用', last: said })];
      }),
      ...desk.conversations.map((c) => [c.last ? c.last.at : c.created, entry('customer', c.external_userid, c.remark || c.name,
        c.stage === 'full' ? preview(c.last) || '已添加' : '待你确认添加', c.person_id, c.last ? c.last.at : c.created,
        { mark: c.kind === 1 ? '@微信' : `@${c.corp_name}`, wechat: c.kind === 1, last: c.last })]),
      ...desk.groups.map((g) => { const said = last(g); return [said ? said.at : 0, entry('group', g.chat_id, g.name, said ? preview(said) : `客户群 ${g.members.length} 人`, g.chat_id, said && said.at, { mark: '群', last: said })]; }),
    ];
    return rows.sort((a, b) => b[0] - a[0]).map(([, row]) => row);
  }

  function kfTalks() {
    const words = { 0: '新会话', 1: '智能接待中', 2: '待接入', 3: '接待中', 4: '已结束' };
    return desk.kf.map((k) => entry('kf', k.external_userid, k.name, `${words[k.state]} · ${k.account}`, k.person_id,
      k.messages.length && k.messages[k.messages.length - 1].at, { account: k.open_kfid, mark: '客服' }));
  }

  function taskEntries() {
    return [entry('tasks', 'mass', '群发助手', desk.tasks.mass.length ? `${desk.tasks.mass.length} 条群发` : '还没有群发任务', 'mass'),
      entry('tasks', 'moments', '客户朋友圈', desk.tasks.moments.length ? `${desk.tasks.moments.length} 条朋友圈` : '还没有朋友圈任务', 'moments')];
  }

  function drawList() {
    for (const one of rail) one.setAttribute('aria-pressed', String(one.dataset.rail === section));
    const rows = { talks, kf: kfTalks, tasks: taskEntries }[section]();
    const empty = section === 'kf' ? el('p', { class: 'empty' }, '没有客服会话。客户从“扫一扫”里打开客服入口后，会出现在这里。') : null;
    unread.looked(staffBox.value);
    refill(list, rows.length ? el('ul', { class: 'people' }, ...rows) : empty);
  }

  async function drawOpen(fresh = false) {
    if (open && open.kind === 'tasks') {
      form.hidden = true;
      document.getElementById('app-menu').hidden = true;
      return drawTasks(open.id, desk, { corp: shared.corp, userid: staffBox.value, reload: load, now: shared.now });
    }
    const kept = await drawTalk(open, desk, { corp: shared.corp, userid: staffBox.value, reload: load, visit, fresh });
    if (!kept && open) { open = null; return drawOpen(); }
    form.hidden = !kept || kept.silent;
    composer.plain(Boolean(open && open.kind === 'app'));
    return null;
  }

  /** Open a product page in the sidebar's frame; one that names a customer takes the conversation along. */
  async function visit(url) {
    const external = new URL(url, location.href).searchParams.get('external_userid');
    if (external && desk.conversations.some((c) => c.external_userid === external)) {
      open = { kind: 'customer', id: external, account: '' };
      section = 'talks';
      drawList();
      await drawOpen(true);
    }
    pane('side');
    sidebar.visit(url);
  }

  async function say(msgtype, content) {
    const base = { corp: shared.corp, userid: staffBox.value, msgtype, [msgtype]: content, content: content.content };
    const [path, target] = {
      customer: ['staff_message', { external_userid: open.id }], group: ['staff_message', { chat_id: open.id }],
      app: ['app_message', { agentid: Number(open.id) }], kf: ['kf_message', { open_kfid: open.account, external_userid: open.id }],
    }[open.kind];
    const sent = await act(path, { ...base, ...target });
    if (sent) await load();
    return Boolean(sent);
  }

  async function newGroup() {
    const people = desk.conversations.filter((c) => c.stage === 'full');
    const given = await ask('建客户群', [{ name: 'name', label: '群名称', required: true, value: '秋季装修交流群' },
      { name: 'people', kind: 'choices', label: '邀请客户', options: people.map((c) => [c.external_userid, c.remark || c.name]) }], '建群');
    if (!given) return;
    const made = await act('create_group', { corp: shared.corp, userid: staffBox.value, name: given.name });
    if (!made) return;
    for (const customer of given.people) await act('join_group', { corp: shared.corp, chat_id: made.group.chat_id, customer, scene: 1 });
    await load();
    await select('group', made.group.chat_id);
  }

  const composer = startComposer(form, { label: '以员工身份发消息', placeholder: '输入消息', corp: () => shared.corp, send: say });
  staffBox.addEventListener('change', () => sitDown());
  document.getElementById('new-group').addEventListener('click', newGroup);
  document.getElementById('side-back').addEventListener('click', () => sidebar.show(app() && app().sidebar_url));
  for (const one of document.querySelectorAll('.desk button[data-pane]')) one.addEventListener('click', () => pane(one.dataset.pane));
  for (const one of rail) {
    one.addEventListener('click', () => {
      section = one.dataset.rail;
      if (section === 'tasks') return select('tasks', open && open.kind === 'tasks' ? open.id : 'mass');
      pane('list');
      return drawList();
    });
  }

  /** Let this member sit at the desk with this talk open. */
  async function show(userid, wanted) {
    if (![...staffBox.options].some((o) => o.value === userid)) return;
    if (staffBox.value !== userid) { staffBox.value = userid; await sitDown(wanted); return; }
    await load();
    if (wanted && !(open && open.kind === wanted.kind && open.id === wanted.id)) await select(wanted.kind, wanted.id, wanted.account);
  }

  return {
    load,
    loadStaff,
    async follow(adding) {
      if (adding.corp_id !== shared.corp) return;
      if (adding.userid) await show(adding.userid, { kind: 'customer', id: adding.external_userid, account: '' });
      else await load();
      if (adding.chat_id && desk.groups.some((g) => g.chat_id === adding.chat_id)) await select('group', adding.chat_id);
    },
    async show(focus) {
      const wanted = focus.chat_id ? { kind: 'group', id: focus.chat_id, account: '' } : focus.external_userid && { kind: 'customer', id: focus.external_userid, account: '' };
      if (focus.userid) await show(focus.userid, wanted || { kind: 'tasks', id: 'mass', account: '' });
    },
  };
}

