// The frame that holds the product's sidebar, and the client's half of the JS-SDK stand-in.
import { act, post, tell } from './wire.js';
import { el } from './draw.js';
import { ask } from './dialog.js';

const box = document.getElementById('side-frame');
const title = document.getElementById('side-title');
const back = document.getElementById('side-back');
const list = (ids) => [].concat(ids || []).join(';').split(';').filter(Boolean);

/** desk: context(), desk() (what the member sees), onProfile(external), onChat(chat), onKf(account, external), reload(). */
export function startSidebar(desk) {
  let frame = null;
  let framed = null; // the context as it was when the frame was loaded

  let loads = 0; // each load has an address of its own, so that the product can tell them apart

  function load(url) {
    framed = desk.context();
    const address = new URL(url, location.href);
    loads += 1;
    address.searchParams.set('frame', `${Date.now()}-${loads}`);
    frame = el('iframe', { src: address.href, title: '侧边栏', allow: 'clipboard-write' });
    box.replaceChildren(frame);
  }

  function show(url) {
    back.hidden = true;
    title.textContent = '聊天工具栏';
    if (url) load(url);
    else box.replaceChildren(el('p', { class: 'empty' }, '这个应用还没有设置侧边栏地址。'));
  }

  function visit(url) {
    back.hidden = false;
    title.textContent = '应用页面';
    load(url);
  }

  const no = (reason) => ({ ok: false, reason });
  const yes = (result = {}) => ({ ok: true, result });
  const customers = () => desk.desk().conversations.filter((c) => c.stage === 'full');

  async function say(target, args) {
    const answer = await post(framed.open_kfid ? 'kf_message' : 'staff_message', {
      corp: framed.corp_id, userid: framed.userid, open_kfid: framed.open_kfid, ...target, via: 'sidebar', msgtype: args.msgtype, [args.msgtype]: args[args.msgtype] || {},
    });
    if (!answer.ok) return no(answer.error.message);
    desk.reload();
    return yes();
  }

  async function share(chatType, args, ids, verb) {
    const lines = [...(args.text && args.text.content ? [{ msgtype: 'text', text: args.text }] : []), ...(args.attachments || [])];
    const words = `${args.text && args.text.content ? args.text.content : '（没有文字）'}，附件 ${(args.attachments || []).length} 个`;
    const known = chatType === 'group' ? desk.desk().groups.map((g) => [g.chat_id, g.name]) : customers().map((c) => [c.external_userid, c.remark || c.name]);
    const given = await ask(verb, [{ kind: 'words', content: words }, { name: 'to', kind: 'choices', label: '发给', options: known.map(([id, name]) => [id, name, ids.includes(id)]) }], '发送');
    if (!given || !given.to.length) return no('cancel');
    const answer = await post('share', { corp: framed.corp_id, userid: framed.userid, chat_type: chatType, ids: given.to, lines });
    if (!answer.ok) return no(answer.error.message);
    desk.reload();
    return yes();
  }

  async function openGroup(args) {
    const ids = list(args.externalUserIds);
    const colleagues = list(args.userIds).filter((id) => id !== framed.userid);
    if (ids.length > 40) return no('exceed max external users');
    if (args.chatId) { desk.onChat(args.chatId); return yes({ chatId: args.chatId }); }
    if (ids.length === 1 && !colleagues.length) { desk.onProfile(ids[0]); return yes({ chatId: '' }); }
    const made = await act('create_group', { corp: framed.corp_id, userid: framed.userid, name: args.groupName || '客户群' });
    if (!made) return no('cancel');
    const base = { corp: framed.corp_id, chat_id: made.group.chat_id };
    for (const userid of colleagues) await act('add_staff_to_group', { ...base, userid });
    for (const customer of ids) await act('join_group', { ...base, customer, scene: 1 });
    desk.reload();
    return yes({ chatId: base.chat_id });
  }

  const does = {
    hello: async () => yes(framed),
    permit: async (args) => {
      const { reason } = await post('jssdk_fault', { call: args.call });
      return reason ? no(reason) : yes();
    },
    sendChatMessage: (args) => say(framed.chat_id ? { chat_id: framed.chat_id } : { external_userid: framed.external_userid }, args),
    openExistedChatWithMsg: async (args) => {
      const answer = await say({ chat_id: args.chatId }, args.msg || {});
      if (answer.ok) desk.onChat(args.chatId);
      return answer;
    },
    openUserProfile: async (args) => {
      if (args.type === 2) desk.onProfile(args.userid);
      else tell(`打开成员资料：${args.userid}`);
      return yes();
    },
    openEnterpriseChat: openGroup,
    updateEnterpriseChat: async (args) => {
      for (const userid of list(args.userIdsToAdd)) {
        const answer = await post('add_staff_to_group', { corp: framed.corp_id, chat_id: args.chatId, userid });
        if (!answer.ok) return no(answer.error.message);
      }
      desk.reload();
      return yes();
    },
    navigateToAddCustomer: async () => {
      const given = await ask('添加客户', [{ name: 'name', label: '对方的微信昵称', required: true, value: '新认识的朋友' }], '添加');
      if (!given) return no('cancel');
      const answer = await act('add', { corp: framed.corp_id, userid: framed.userid, name: given.name, add_way: 2 });
      desk.reload();
      return answer ? yes() : no('cancel');
    },
    navigateToKfChat: async (args) => { desk.onKf(args.openKfId, args.externalUserId); return yes(); },
    selectExternalContact: async (args) => {
      const wanted = customers();
      const given = await ask('选择外部联系人', [{ name: 'to', kind: 'choices', label: args.filterType === 1 ? '仅未加群发的客户' : '客户', options: wanted.map((c) => [c.external_userid, c.remark || c.name]) }], '确定');
      return given ? yes({ userIds: given.to }) : no('cancel');
    },
    shareToExternalContact: (args) => share('single', args, list(args.externalUserIds), '群发给客户'),
    shareToExternalChat: (args) => share('group', args, list(args.chatIds), '群发到客户群'),
    shareToExternalMoments: async (args) => {
      const sure = await ask('发表到客户朋友圈', [{ kind: 'words', content: (args.text && args.text.content) || '（没有文字）' }], '发表');
      if (!sure) return no('cancel');
      const answer = await act('post_moment', { corp: framed.corp_id, userid: framed.userid, text: args.text });
      return answer ? yes() : no('cancel');
    },
    previewFile: async (args) => {
      if (!String(args.url || '').startsWith('http')) return no('invalid url');
      await ask(args.name || '预览文件', [{ kind: 'words', content: [el('a', { href: args.url, target: '_blank', rel: 'noopener' }, '在新窗口打开'), `　大小 ${args.size || '未知'} 字节`] }], '');
      return yes();
    },
  };

  window.addEventListener('message', async (event) => {
    const wish = event.data;
    if (!frame || event.source !== frame.contentWindow || !wish || wish.sandbox !== 'jssdk') return;
    const answer = does[wish.call] ? await does[wish.call](wish.args || {}) : no('no permission');
    event.source.postMessage({ sandbox: 'jssdk', id: wish.id, ...answer }, event.origin);
  });
  return { show, visit };
}
