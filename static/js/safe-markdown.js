// Markdown of a stranger, appended as it comes: no images, and only links that lead out safely.
import * as smd from "../vendor/streaming-markdown-0.2.15/smd.min.js";

const SAFE_LINK = /^(https?:|mailto:|#)/i;
const KEPT = new Set([smd.LANG, smd.START, smd.CHECKED]);

export function markdownInto(root) {
  const renderer = smd.default_renderer(root);
  const { add_token: add, set_attr: set } = renderer;
  renderer.add_token = (data, token) => add(data, token === smd.IMAGE ? smd.ITALIC_AST : token);
  renderer.set_attr = (data, name, value) => {
    if (name === smd.HREF && SAFE_LINK.test(value.trim())) {
      set(data, name, value);
      data.nodes[data.index].rel = "noopener noreferrer nofollow";
    } else if (name === smd.LANG) {
      set(data, name, `language-${value.replace(/[^\w+#-]/g, "")}`);
    } else if (KEPT.has(name)) {
      set(data, name, value);
    }
  };
  const parser = smd.parser(renderer);
  return {
    write: (text) => smd.parser_write(parser, text),
    end: () => smd.parser_end(parser),
  };
}
