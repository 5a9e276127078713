package cuda

import "fmt"

// Severity is what an XID error means for a GPU.
type Severity int

const (
	// Application errors end one program's work on the GPU: a fault of its kernels, or cleaning up after it. The GPU is well.
	Application Severity = iota
	// Warning errors leave the GPU working; somebody should look at it.
	Warning
	// Fatal errors leave nothing to compute on before the GPU is reset or the machine is started anew.
	Fatal
)

func (s Severity) String() string { return [...]string{"application", "warning", "fatal"}[s] }

// MarshalText writes the word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// XID is an error report of the NVIDIA driver; its kernel log line begins with "NVRM: Xid".
type XID struct {
	Code     uint64
	Severity Severity
	Meaning  string // a sentence without its full stop
	Help     string // what to do, likewise; "" for what needs nothing
}

const (
	resetHelp  = "stop what uses the GPU and reset it (nvidia-smi --gpu-reset), or restart the machine"
	rebootHelp = "restart the machine; when it comes again, the card, its power or its slot is at fault"
)

// xids are those of NVIDIA's XID catalog (docs.nvidia.com/deploy/xid-errors) that compute work can meet. What the catalog
// resolves by RESET_GPU or RESTART_BM is fatal, by RESTART_APP of the application; 48 and 74 have workflows there that end in
// a reset.
var xids = map[uint64]XID{
	8:   {Severity: Application, Meaning: "a channel of the GPU stopped processing"},
	11:  {Severity: Application, Meaning: "the driver sent an invalid or corrupted command stream"},
	13:  {Severity: Application, Meaning: "a kernel made an exception, such as an access out of bounds"},
	31:  {Severity: Application, Meaning: "a kernel touched memory that is not mapped (page fault)"},
	32:  {Severity: Application, Meaning: "a command stream was corrupted on the way to the GPU"},
	39:  {Severity: Application, Meaning: "a copy engine made an exception"},
	40:  {Severity: Application, Meaning: "a copy engine made an exception"},
	41:  {Severity: Application, Meaning: "a copy engine made an exception"},
	43:  {Severity: Application, Meaning: "a program's work on the GPU was stopped after a fault of its own"},
	45:  {Severity: Application, Meaning: "the work of a program that ended was cleaned up"},
	46:  {Severity: Fatal, Meaning: "the GPU stopped processing", Help: resetHelp},
	48:  {Severity: Fatal, Meaning: "the memory has an error of two bits, which ECC cannot correct", Help: resetHelp},
	54:  {Severity: Warning, Meaning: "the board's extra power cable is not connected", Help: "connect it"},
	62:  {Severity: Fatal, Meaning: "the controller inside the GPU halted", Help: resetHelp},
	63:  {Severity: Warning, Meaning: "a row of memory was replaced, or will be at the next reset", Help: "reset the GPU when convenient"},
	64:  {Severity: Fatal, Meaning: "a bad row of memory could not be replaced", Help: resetHelp},
	68:  {Severity: Application, Meaning: "the video decoder made an exception"},
	69:  {Severity: Application, Meaning: "a program used a class of commands wrongly"},
	74:  {Severity: Fatal, Meaning: "an NVLink connection failed", Help: resetHelp},
	79:  {Severity: Fatal, Meaning: "the GPU has fallen off the bus", Help: rebootHelp},
	92:  {Severity: Warning, Meaning: "ECC corrects unusually many errors of one bit", Help: "watch the GPU, and have it checked when this goes on"},
	93:  {Severity: Warning, Meaning: "the InfoROM may not be written any more"},
	94:  {Severity: Application, Meaning: "a memory error was contained in one program", Help: "reset the GPU when convenient"},
	95:  {Severity: Fatal, Meaning: "a memory error could not be contained and struck several programs", Help: resetHelp},
	109: {Severity: Fatal, Meaning: "the GPU could not change between programs in time", Help: resetHelp},
	110: {Severity: Fatal, Meaning: "the GPU reports a security fault", Help: rebootHelp},
	119: {Severity: Fatal, Meaning: "the system processor of the GPU (GSP) did not answer in time", Help: resetHelp},
	120: {Severity: Fatal, Meaning: "the system processor of the GPU (GSP) failed", Help: resetHelp},
	121: {Severity: Warning, Meaning: "the link to the Grace processor corrected errors", Help: "reset the GPU when convenient"},
	136: {Severity: Fatal, Meaning: "an NVLink connection could not be trained", Help: resetHelp},
	137: {Severity: Application, Meaning: "an access to another GPU over NVLink was illegal"},
	140: {Severity: Fatal, Meaning: "the memory has errors that ECC could not correct nor set aside", Help: resetHelp},
	143: {Severity: Fatal, Meaning: "the GPU could not be initialised", Help: resetHelp},
	// The driver's summary of another XID; what it asks for is read from NVML.
	154: {Severity: Warning, Meaning: "the driver changed what it asks for to recover the GPU"},
	155: {Severity: Fatal, Meaning: "an NVLink connection went down", Help: resetHelp},
	156: {Severity: Fatal, Meaning: "a part of the GPU is retired at its next reset", Help: resetHelp},
	157: {Severity: Warning, Meaning: "a part of the GPU could not be retired: none is left to take its place", Help: "have the GPU checked"},
	158: {Severity: Fatal, Meaning: "the GPU did not answer in time", Help: resetHelp},
	167: {Severity: Fatal, Meaning: "the PCI Express link did not answer in time", Help: rebootHelp},
	171: {Severity: Warning, Meaning: "the driver tells more of an uncorrectable error in the DRAM (XID 48)"},
	172: {Severity: Warning, Meaning: "the driver tells more of an uncorrectable error in the SRAM (XID 48)"},
}

// LookUpXID says what a code means. One that is not in the table is a warning: the GPU goes on until it stops answering.
func LookUpXID(code uint64) XID {
	x, ok := xids[code]
	if !ok {
		x = XID{Severity: Warning, Meaning: "an error that clipd does not know", Help: "look it up at docs.nvidia.com/deploy/xid-errors"}
	}
	x.Code = code
	return x
}

func (x XID) String() string {
	text := fmt.Sprintf("XID %d: %s", x.Code, x.Meaning)
	if x.Help != "" {
		text += "; " + x.Help
	}
	return text
}
