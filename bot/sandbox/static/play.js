// 演一天: start, progress, stop, and the camera that follows the scenes.
import { act, send } from './wire.js';

const strip = document.getElementById('play-strip');
const title = document.getElementById('play-title');
const bar = document.getElementById('play-progress');
const follow = document.getElementById('play-follow');
const start = document.getElementById('play-day');

export function startPlay(shared, { phone, desk }) {
  let shown = '';
  let ended = true;

  start.addEventListener('click', async () => {
    start.disabled = true;
    ended = false;
    strip.hidden = false;
    title.textContent = '准备开演';
    if (!(await act('play', { corp: shared.corp }))) start.disabled = false;
  });
  document.getElementById('play-stop').addEventListener('click', () => send('DELETE', 'play'));

  return {
    async draw(state) {
      if (!state.running && ended) return;
      strip.hidden = !state.running;
      start.disabled = state.running;
      ended = !state.running;
      bar.value = state.progress;
      bar.textContent = `${Math.round(state.progress * 100)}%`;
      if (title.textContent !== state.title) title.textContent = state.title;
      const mark = JSON.stringify(state.focus);
      if (!state.running || !follow.checked || mark === shown) return;
      shown = mark;
      await Promise.all([phone.show(state.focus, shared.corp), desk.show(state.focus)]);
    },
  };
}
