// A shared library that is no runtime.
__attribute__((visibility("default"))) int clip_fake_number(void) { return 7; }
