// Which talks have something new for the one who looks; what stood there at first counts as read.
import { el } from './draw.js';

export function startUnread() {
  const read = new Map(); // owner -> Map(talk -> time of the newest message seen)

  return {
    /** Whether a talk has something newer than its owner has seen. open: it is on screen now. */
    has(owner, talk, last, { open = false, own = false } = {}) {
      if (!read.has(owner)) read.set(owner, new Map());
      const seen = read.get(owner);
      const at = last ? last.at : 0;
      if (open || own) seen.set(talk, at);
      else if (!seen.has(talk)) seen.set(talk, seen.has('looked') ? 0 : at);
      return at > seen.get(talk);
    },
    /** All talks that were there have been looked over: later ones are new. */
    looked(owner) {
      if (read.has(owner)) read.get(owner).set('looked', true);
    },
  };
}

/** The red dot beside a name. */
export function dot() {
  return el('span', { class: 'dot', role: 'img', 'aria-label': '有新消息' });
}
