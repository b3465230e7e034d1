// The line under a chat: words, and picture, file, link, mini program as people send them.
import { button, el } from './draw.js';
import { ask } from './dialog.js';
import { tell, upload } from './wire.js';

const LINK = [
  { name: 'title', label: '标题', required: true, value: '云帆家居 2026 秋季实景案例' },
  { name: 'desc', label: '描述', value: '12 套真实业主的家，含面积与花费' },
  { name: 'url', label: '网址', kind: 'url', required: true, value: 'https://yunfan.example.com/cases' },
];
const MINI = [
  { name: 'title', label: '标题', required: true, value: '预约量房' },
  { name: 'appid', label: '小程序 appid', required: true, value: 'wx0123456789abcdef' },
  { name: 'page', label: '页面路径', required: true, value: 'pages/book/index.html' },
];

/** form: where to draw; label: of the input; corp(): corp id; send(msgtype, body) → whether it went. */
export function startComposer(form, { label, placeholder, corp, send }) {
  const input = el('input', { 'aria-label': label, placeholder, autocomplete: 'off', id: form.id.replace('form', 'text') });
  const picker = el('input', { type: 'file', hidden: true, 'aria-label': '选择文件' });
  let kind = 'image';
  const pick = (next, accept) => { kind = next; picker.accept = accept; picker.click(); };
  picker.addEventListener('change', async () => {
    const [chosen] = picker.files;
    picker.value = '';
    if (chosen) await sendFile(kind, chosen);
  });

  async function sendFile(type, chosen) {
    const stored = await upload('upload', chosen, { kind: type, corp: corp() });
    if (stored) await send(type, { media_id: stored.media_id, filename: stored.filename });
  }

  async function sendForm(title, fields, type) {
    const given = await ask(title, fields, '发送');
    if (given) await send(type, given);
  }

  const tools = el('div', { class: 'tools' },
    button('图片', () => pick('image', 'image/png,image/jpeg'), { sign: 'image' }),
    button('文件', () => pick('file', ''), { sign: 'file' }),
    button('链接', () => sendForm('发送链接', LINK, 'link'), { sign: 'link' }),
    button('小程序', () => sendForm('发送小程序', MINI, 'miniprogram'), { sign: 'app-window' }), picker);
  form.replaceChildren(tools, el('div', { class: 'row' }, input, el('button', { class: 'primary' }, '发送')));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const words = input.value;
    if (!words.trim()) return;
    input.value = '';
    if (!(await send('text', { content: words })) && !input.value) input.value = words;
  });
  input.addEventListener('paste', (event) => {
    const pasted = [...event.clipboardData.files].find((f) => ['image/png', 'image/jpeg'].includes(f.type));
    if (!pasted) return;
    event.preventDefault();
    sendFile('image', pasted);
    tell('正在发送粘贴的图片');
  });
  return { plain: (only) => { tools.hidden = only; } };
}
