// What is done once at a time, and once more for whoever asks meanwhile.

export class Turns {
  private working: Promise<void> | null = null;
  private asked = false;

  /**
   * Does `work`, one at a time. A turn that is under way may have looked before that happened which its asker knows of: one more
   * follows it, for all who asked meanwhile. The promise is that of the last turn.
   */
  take(work: () => Promise<void>): Promise<void> {
    this.asked = true;
    this.working ??= this.last(work);
    return this.working;
  }

  private async last(work: () => Promise<void>): Promise<void> {
    try {
      while (this.asked) {
        this.asked = false;
        await work();
      }
    } finally {
      this.working = null;
    }
  }
}
