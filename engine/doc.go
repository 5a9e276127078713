// Package engine turns texts and pictures into CLIP embeddings.
//
// A Model owns the queues of one CLIP model and the lanes that serve them. Encode hands it the inputs of one
// request; texts are tokenized at once, pictures are decoded and resized by a bounded pool of workers, and
// what is ready waits in a queue until a lane is free. The lane then takes a batch: a lonely input waits for
// nothing, and load makes batches by itself. Nothing in this package knows a wire protocol.
package engine
