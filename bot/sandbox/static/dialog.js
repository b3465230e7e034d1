// One dialog for every small form of the page.
import { el } from './draw.js';

const box = document.getElementById('dialog');

function control(field) {
  const name = { name: field.name, required: field.required || false };
  if (field.kind === 'select') {
    return el('select', name, ...field.options.map(([value, words]) => el('option', { value, selected: value === field.value }, words)));
  }
  if (field.kind === 'textarea') {
    const area = el('textarea', { ...name, rows: 3 });
    area.value = field.value || '';
    return area;
  }
  if (field.kind === 'file') return el('input', { ...name, type: 'file', accept: field.accept || '' });
  return el('input', { ...name, type: field.kind || 'text', value: field.value ?? '', placeholder: field.hint || '', autocomplete: 'off' });
}

function row(field) {
  if (field.kind === 'choices') {
    return el('fieldset', {}, el('legend', {}, field.label), el('div', { class: 'choose' }, ...field.options.map(([value, words, on]) =>
      el('label', { class: 'tick' }, el('input', { type: 'checkbox', name: field.name, value, checked: Boolean(on) }), words))));
  }
  if (field.kind === 'words') return el('div', { class: 'field' }, ...[].concat(field.content));
  return el('label', { class: 'field' }, field.label, control(field));
}

function values(form, fields) {
  const data = new FormData(form);
  return Object.fromEntries(fields.filter((f) => f.name).map((f) => [f.name, f.kind === 'choices' ? data.getAll(f.name) : data.get(f.name)]));
}

/** Ask with a form; resolves to {name: value}, or null when it was closed. field.kind: text, textarea, select, choices, file, words. */
export function ask(title, fields, verb = '确定') {
  return new Promise((resolve) => {
    const form = el('form', { method: 'dialog' }, el('h2', { id: 'dialog-title' }, title), ...fields.map(row),
      el('div', { class: 'row end' }, el('button', { type: 'button', onclick: () => box.close('') }, '取消'),
        verb ? el('button', { class: 'primary', value: 'yes' }, verb) : null));
    box.replaceChildren(form);
    box.returnValue = '';
    box.onclose = () => resolve(box.returnValue === 'yes' ? values(form, fields) : null);
    box.showModal();
  });
}

export function closeDialog() {
  if (box.open) box.close('');
}
