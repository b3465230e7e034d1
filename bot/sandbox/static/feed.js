// 朋友圈 on the customer's phone, and how a post looks at the desk.
import { act } from './wire.js';
import { avatar, button, el, icon, mediaUrl, refill, shortTime } from './draw.js';
import { ask } from './dialog.js';

function pictures(corp, told) {
  if (told.image) return el('div', { class: 'post-pictures' }, ...told.image.map((one) => el('img', { src: mediaUrl(corp, one.media_id), alt: '图片', loading: 'lazy' })));
  if (told.video) return el('video', { class: 'shot', src: mediaUrl(corp, told.video.media_id), controls: true });
  if (told.link) return el('a', { class: 'card-link', href: told.link.url, target: '_blank', rel: 'noopener' }, el('b', {}, told.link.title || told.link.url));
  return null;
}

/** The words and pictures of a post. */
export function postContent(corp, told) {
  return [told.text ? el('span', { class: 'words' }, told.text.content) : null, pictures(corp, told)].filter(Boolean);
}

/** Likes and comments under a post, null when there are none. */
export function remarks(post) {
  if (!post.likes.length && !post.comments.length) return null;
  return el('div', { class: 'remarks' }, post.likes.length ? el('span', {}, icon('heart'), ' ', post.likes.map((l) => l.name).join('、')) : null,
    ...post.comments.map((c) => el('span', {}, el('b', {}, c.name), `：${c.content}`)));
}

export function drawFeed(body, phone, shared, reload) {
  const posts = phone ? phone.feed : [];
  if (!posts.length) return refill(body, el('p', { class: 'empty' }, '朋友圈还没有内容。员工在“群发”里发表后，会出现在这里。'));
  const base = (post) => ({ corp: post.corp_id, moment_id: post.moment_id, userid: post.userid, customer: phone.person.person_id });
  const like = async (post) => { if (await act('like_moment', base(post))) await reload(); };
  const say = async (post) => {
    const given = await ask(`评论 ${post.author}`, [{ name: 'content', label: '评论', required: true, value: '真好看，多少钱？' }], '发表');
    if (given && await act('comment_moment', { ...base(post), content: given.content })) await reload();
  };
  return refill(body, el('ul', { class: 'feed' }, ...posts.map((post) => el('li', {}, avatar(post.author, post.userid),
    el('div', { class: 'post' }, el('b', { class: 'post-name' }, post.author, el('small', { class: 'corp' }, ` @${post.corp_name}`)),
      ...postContent(post.corp_id, post.told),
      el('div', { class: 'post-foot' }, el('span', {}, shortTime(post.published_at, shared.now())),
        el('span', {}, button(post.liked ? '取消赞' : '赞', () => like(post), { sign: 'heart', kind: post.liked ? 'liked' : '', 'data-key': `like-${post.moment_id}-${post.userid}` }),
          button('评论', () => say(post), { sign: 'message-circle', 'data-key': `say-${post.moment_id}-${post.userid}` }))),
      remarks(post))))));
}
