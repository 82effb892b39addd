// The checksum of a result, as `benches/src/check.rs` defines it.

/** Number of entries and FNV-1a hash (32 bits) over their texts, each followed by byte 10. */
export class Check {
  #rows = 0;
  #hash = 0x811c9dc5;

  /** Adds an entry by its id, or by the columns that matter with `|` between them. */
  entry(text) {
    this.#rows++;
    for (let i = 0; i < text.length; i++) this.#byte(text.charCodeAt(i));
    this.#byte(10);
  }

  /** Adds a list of issues with their owner, labels and comments, where they have them. */
  tree(issues) {
    for (const issue of issues) {
      this.entry(issue.id);
      if (issue.owner) this.entry(issue.owner.id);
      for (const related of [issue.labels, issue.comments]) {
        for (const row of related ?? []) this.entry(row.id);
      }
    }
  }

  #byte(byte) {
    this.#hash = Math.imul(this.#hash ^ byte, 0x01000193) >>> 0;
  }

  toString() {
    return `${this.#rows}:${this.#hash.toString(16).padStart(8, '0')}`;
  }
}
