package cuda

import (
	"bytes"
	"strings"
	"testing"
)

func TestPick(t *testing.T) {
	s, err := Visible(testMachine(3), Setting{Value: "2,0", Set: true, From: "the environment"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(device, want, message string) {
		t.Helper()
		got, err := s.Pick(device)
		if short(got) != want || (err == nil) != (message == "") || err != nil && !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %q, %v; want %q, %q", device, short(got), err, want, message)
		}
	}
	check("cuda", "2 0", "")
	check("cuda:0", "2", "")
	check("cuda:1", "0", "")
	check("cuda:2", "", `device is cuda:2, but there are 2 GPUs to choose from (CUDA_VISIBLE_DEVICES is "2,0" (the environment)): `+
		`cuda:0 is GPU 2 (NVIDIA A100, GPU-a2-7297), cuda:1 is GPU 0`)
	check("cuda:-1", "", `device "cuda:-1" is no GPU`)
	check("cpu", "", `device "cpu" is no GPU`)
	check("7", "", `device "7" is no GPU`)
}

func TestPlaceRefuses(t *testing.T) {
	if _, err := Place(2, nil); err == nil || err.Error() != "2 replicas have no GPU to go to" {
		t.Errorf("error %v", err)
	}
	if _, err := Place(0, testMachine(1)); err == nil || err.Error() != "replicas is 0; it is at least 1" {
		t.Errorf("error %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	all := withMIG(testMachine(3), 1) // 0, 1, 1.0, 1.1, 2
	check := func(want string, devices ...Device) {
		t.Helper()
		got, err := Environment(devices)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", short(devices), got, err, want)
		}
	}
	check("GPU-a2-7297,GPU-a0-7297", all[4], all[0], all[4])
	check("MIG-10-4f2c", all[2], all[2])
	check("", all[2], all[3])
	check("", all[0], all[2])
	if _, err := Environment(all[2:4]); !strings.Contains(err.Error(), "MIG-10-4f2c and MIG-11-4f2c cannot serve together") {
		t.Error(err)
	}
}

func TestRuntimeName(t *testing.T) {
	all := withMIG(testMachine(2), 1)
	for i, want := range []string{"cuda:0000:00:00.0", "cuda:0000:01:00.0", "cuda:0", "cuda:0"} {
		if got := all[i].Runtime(); got != want {
			t.Errorf("%s: %q, want %q", all[i].Label(), got, want)
		}
	}
}

func TestCheckMemory(t *testing.T) {
	devices := testMachine(2)
	devices[0].MemoryFree = 4 * gib
	need := Need{Model: "ViT-L-14::openai", Batch: 32, Bytes: 5 * gib}
	check := func(need Need, placed []Device, want string) {
		t.Helper()
		err := Check(need, placed, devices)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v\nwant %q", short(placed), err, want)
		}
	}
	check(need, devices[1:], "")
	check(need, devices[:1], "model ViT-L-14::openai at batch 32 needs about 5.0 GiB, but GPU 0 (NVIDIA A100, GPU-a0-7297) has 4.0 GiB free of 40.0 GiB; "+
		"what helps: end what else uses 36.0 GiB of it (nvidia-smi lists it), or use GPU 1 (NVIDIA A100, GPU-a1-7297), which has 39.0 GiB free, "+
		"or lower minibatch_size, or take a smaller model or dtype: fp16")
	check(Need{Model: "RN50::openai", Batch: 8, Bytes: 4 * gib}, devices[:1], "") // just enough

	small := Need{Model: "demo", Batch: 1, Bytes: 3 * gib}
	two := []Device{devices[0], devices[1], devices[0]}
	check(small, two, "2 replicas of model demo at batch 1 need about 6.0 GiB, but GPU 0 (NVIDIA A100, GPU-a0-7297) has 4.0 GiB free of 40.0 GiB; "+
		"what helps: end what else uses 36.0 GiB of it (nvidia-smi lists it), or place only 1 replica there, "+
		"or use GPU 1 (NVIDIA A100, GPU-a1-7297), which has 39.0 GiB free, or take a smaller model or dtype: fp16")
	check(Need{Model: "huge", Batch: 1, Bytes: 50 * gib}, devices[1:], "model huge at batch 1 needs about 50.0 GiB, but GPU 1 (NVIDIA A100, GPU-a1-7297) "+
		"has 39.0 GiB free of 40.0 GiB; what helps: take a smaller model or dtype: fp16")

	shared := Device{Index: 0, UUID: "GPU-shared", Name: "NVIDIA GB10"} // does not tell its memory
	check(need, []Device{shared}, "")
}

func TestTable(t *testing.T) {
	all := withMIG(testMachine(2), 1)
	all[0].NUMANode, all[0].CPUs = 1, []int{0, 1, 2, 8}
	all[0].Capability = Capability{8, 0}
	for i := range all[1:] {
		all[i+1].NUMANode = -1
	}
	all = append(all, Device{Index: 2, UUID: "GPU-shared", Name: "NVIDIA GB10", NUMANode: -1, Capability: Capability{12, 1}})
	var out bytes.Buffer
	if err := Table(&out, all, []Device{all[4], all[0], all[4]}); err != nil {
		t.Fatal(err)
	}
	want := `
GPU  NAME                     CUDA  FREE      MEMORY    PCI           NUMA  CPUS   CLIPD          UUID
0    NVIDIA A100              8.0   39.0 GiB  40.0 GiB  0000:00:00.0  1     0-2,8  cuda:1         GPU-a0-7297
1    NVIDIA A100              0.0   39.0 GiB  40.0 GiB  0000:01:00.0  -     -      split          GPU-a1-7297
1.0  NVIDIA A100 MIG 3g.20gb  0.0   39.0 GiB  40.0 GiB  0000:01:00.0  -     -      hidden         MIG-10-4f2c
1.1  NVIDIA A100 MIG 3g.20gb  0.0   39.0 GiB  40.0 GiB  0000:01:00.0  -     -      hidden         MIG-11-4f2c
2    NVIDIA GB10              12.1  -         shared    -             -     -      cuda:0 cuda:2  GPU-shared
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got%swant%s", got, want)
	}
}

func TestGiB(t *testing.T) {
	for bytes, want := range map[uint64]string{0: "0 MiB", 50 << 20: "50 MiB", 3 * gib / 2: "1.5 GiB", 143771 << 20: "140.4 GiB"} {
		if got := GiB(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}
