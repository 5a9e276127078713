// A shared library that needs another one, which is not found where it looks.
int clip_fake_number(void);
__attribute__((visibility("default"))) int clip_fake_twice(void) { return 2 * clip_fake_number(); }
