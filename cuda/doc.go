// Package cuda is what clipd knows of NVIDIA GPUs before and beside CUDA: which there are, which of them a flow may use, which
// replica goes where, whether a model fits, and whether a GPU is still there. It asks NVML, the library of the driver behind
// nvidia-smi, and makes no CUDA context; a machine without the driver has no GPUs, which is no error.
//
// # How a device is named to a runtime
//
// CUDA counts the devices of a process in an order of its own: the fastest first by default, and only those that
// CUDA_VISIBLE_DEVICES leaves. A number therefore means something else to NVML, to CUDA and to a flow. So a runtime is told
//
//	cuda:0000:3b:00.0   a whole GPU by its PCI address: the runtime asks cudaDeviceGetByPCIBusId for the ordinal
//	cuda:0              an instance of a split GPU (MIG), which shares its PCI address with others: CUDA shows a process one
//	                    instance at most, and it is the process's only device then
//
// which is what [Device.Runtime] returns. For both to hold, the variable CUDA_VISIBLE_DEVICES of the process must be what
// [Environment] returns, the UUIDs of every device in use, from before the first runtime is opened: CUDA reads it once, and would
// not understand the RR forms of a flow. A runtime also takes "cuda" and "cuda:N" with N a CUDA ordinal of this process, for
// callers that have not asked this package.
//
// So a program that serves goes this way, before it opens a runtime:
//
//	library, err := cuda.Open()                    // errors.Is(err, cuda.ErrNoGPU): the CPU it is
//	devices, err := library.Discover()
//	selection, err := cuda.Visible(devices, cuda.FromEnvironment(executor.Env, os.LookupEnv))
//	picked, err := selection.Pick(executor.Device) // "cuda", "cuda:1"
//	placed, err := cuda.Place(replicas, picked)    // a device for each replica
//	err = cuda.Check(need, placed, devices)
//	value, err := cuda.Environment(placed)         // of all executors together
//	os.Setenv("CUDA_VISIBLE_DEVICES", value)       // reaches C as well
//	placed[i].Runtime()                            // for each session
//	placed[i].KeepNear()                           // in the thread of each lane
//	monitor := library.Watch(placed, ...)          // OnLost, OnRecovered: replicas out, and in again
//
// What a flow calls cuda:N is the Nth of the devices that its CUDA_VISIBLE_DEVICES leaves ([Selection.Pick]); indices inside
// that variable are those of nvidia-smi.
package cuda
