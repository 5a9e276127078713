package runtime

// #include <stdlib.h>
// #ifdef __GLIBC__
// #include <malloc.h>
// static void release_heap(void) { malloc_trim(0); }
// #else
// static void release_heap(void) {}
// #endif
import "C"

// ReleaseHeap gives what C has freed back to the system. glibc keeps it for what comes next, which after a session is as much as
// its tower: some 150 MB after those of ViT-B/32.
func ReleaseHeap() { C.release_heap() }
