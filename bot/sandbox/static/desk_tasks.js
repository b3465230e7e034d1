// 群发 at the desk: mass messages and Moments that wait for the member's own hand.
import { act, upload } from './wire.js';
import { button, content, el, refill, shortTime } from './draw.js';
import { ask } from './dialog.js';
import { postContent, remarks } from './feed.js';

const head = document.getElementById('desk-head');
const lines = document.getElementById('desk-lines');
const results = { 0: ['未发送', ''], 1: ['已送达', 'good'], 2: ['不是好友', 'bad'], 3: ['超过接收上限', 'wait'] };

function chip(words, kind = '') {
  return el('span', { class: `chip ${kind}` }, words);
}

function targets(message) {
  return el('details', {}, el('summary', {}, `${message.chat_type === 'group' ? '发给客户群' : '发给客户'} ${message.targets.length} 个`),
    el('div', { class: 'targets' }, ...message.targets.map((t) => chip(message.status ? `${t.name} · ${results[t.status][0]}` : t.name, message.status ? results[t.status][1] : ''))));
}

function massCard(message, at) {
  const base = { corp: at.corp, userid: at.userid, msgid: message.msgid };
  const go = async (without) => { if (await act('confirm_mass', { ...base, without })) await at.reload(); };
  const choose = async () => {
    const given = await ask('选择客户', [{ name: 'to', kind: 'choices', label: '勾选的客户会收到', options: message.targets.map((t) => [t.id, t.name, true]) }], '发送');
    if (given) await go(message.targets.map((t) => t.id).filter((id) => !given.to.includes(id)));
  };
  const state = message.cancelled ? chip('已停止', 'bad') : message.status ? chip('已发送', 'good') : chip('待发送', 'wait');
  return el('article', { class: 'task' },
    el('div', { class: 'task-head' }, state, el('b', {}, message.chat_type === 'group' ? '群发到客户群' : '群发给客户'), el('small', { class: 'quiet' }, `${message.from} · ${shortTime(message.created, at.now())}`),
      message.reminded ? chip(`提醒 ${message.reminded} 次`, 'wait') : null),
    el('div', { class: 'quote' }, ...message.lines.map((one) => content(one, { corp: at.corp, open: (url) => window.open(url, '_blank', 'noopener') }))),
    targets(message),
    message.status || message.cancelled ? null : el('div', { class: 'row' }, button('发送', () => go([]), { kind: 'primary', sign: 'send', 'data-key': `send-${message.msgid}` }),
      message.allow_select && message.chat_type === 'single' ? button('选择客户', choose, { 'data-key': `choose-${message.msgid}` }) : null));
}

function momentCard(post, at) {
  const publish = async () => { if (await act('publish_moment', { corp: at.corp, userid: at.userid, moment_id: post.moment_id })) await at.reload(); };
  const state = post.published_at ? chip('已发表', 'good') : post.cancelled ? chip('已停止', 'bad') : chip('待发表', 'wait');
  return el('article', { class: 'task' },
    el('div', { class: 'task-head' }, state, el('small', { class: 'quiet' }, `${post.from} · ${shortTime(post.created, at.now())}`),
      post.published_at ? chip(`${post.viewers} 位客户可见`) : null),
    el('div', { class: 'quote' }, ...postContent(at.corp, post.told)),
    remarks(post),
    post.published_at || post.cancelled ? null : el('div', { class: 'row' }, button('发表', publish, { kind: 'primary', sign: 'aperture', 'data-key': `publish-${post.moment_id}` })));
}

async function newMass(at) {
  const given = await ask('在管理后台建一条群发', [
    { name: 'chat_type', label: '发给', kind: 'select', value: 'single', options: [['single', '每位员工的客户'], ['group', '每位员工的客户群']] },
    { name: 'text', label: '内容', kind: 'textarea', required: true, value: '周末到店量房送设计图一套，名额 20 个。想来的朋友回复“周末”。' },
    { name: 'image', label: '图片（可空）', kind: 'file', accept: 'image/png,image/jpeg' }], '创建');
  if (!given) return;
  const list = [{ msgtype: 'text', text: { content: given.text } }];
  if (given.image && given.image.size) {
    const stored = await upload('upload', given.image, { kind: 'image', corp: at.corp });
    if (!stored) return;
    list.push({ msgtype: 'image', image: { media_id: stored.media_id } });
  }
  if (await act('console_mass', { corp: at.corp, chat_type: given.chat_type, lines: list })) await at.reload();
}

async function newMoment(at) {
  const given = await ask('发表朋友圈', [
    { name: 'who', label: '由谁发', kind: 'select', value: 'own', options: [['own', '我自己马上发表'], ['corp', '管理后台建任务，每位员工确认后发表']] },
    { name: 'text', label: '文字', kind: 'textarea', required: true, value: '89 平三室，从毛坯到入住 62 天。业主最满意的是这面到顶玄关柜。' },
    { name: 'image', label: '图片（可空）', kind: 'file', accept: 'image/png,image/jpeg' }], '发表');
  if (!given) return;
  const body = { corp: at.corp, text: { content: given.text } };
  if (given.who === 'own') body.userid = at.userid;
  if (given.image && given.image.size) {
    const stored = await upload('upload', given.image, { kind: 'image', corp: at.corp, scene: 1 });
    if (!stored) return;
    body.image = [{ media_id: stored.media_id }];
  }
  if (await act('post_moment', body)) await at.reload();
}

/** Draw the tasks of one kind: mass or moments. at: {corp, userid, reload, now}. */
export function drawTasks(kind, desk, at) {
  const mass = kind === 'mass';
  head.replaceChildren(el('b', { class: 'cut' }, mass ? '群发助手' : '客户朋友圈'),
    el('span', { class: 'end' }, mass ? button('后台建群发', () => newMass(at), { sign: 'plus' }) : button('发朋友圈', () => newMoment(at), { sign: 'plus' })));
  const cards = mass ? desk.tasks.mass.map((one) => massCard(one, at)) : desk.tasks.moments.map((one) => momentCard(one, at));
  refill(lines, ...(cards.length ? cards : [el('p', { class: 'empty' }, mass ? '没有群发任务。接口或管理后台建一条后，在这里确认发送。' : '没有朋友圈任务。接口或管理后台建一条后，在这里确认发表。')]));
}
