package model

import (
	"encoding/json"
	"fmt"
	"math"

	"clipd/engine/model/registry"
)

// tensorList collects the tensors of a network under open_clip's names. Standard deviations are those with which
// open_clip starts a training; norms and biases vary a little, so that a mix-up of theirs shows.
type tensorList struct{ tensors []randomTensor }

func (l *tensorList) add(name string, mean, std float64, shape ...int) {
	l.tensors = append(l.tensors, randomTensor{name, shape, float32(mean), float32(std)})
}

func (l *tensorList) norm(prefix string, width int) {
	l.add(prefix+".weight", 1, 0.05, width)
	l.add(prefix+".bias", 0, 0.05, width)
}

func (l *tensorList) linear(prefix string, columns, rows int, std float64) {
	l.add(prefix+".weight", 0, std, rows, columns)
	l.add(prefix+".bias", 0, 0.01, rows)
}

func rsqrt(n int) float64 { return 1 / math.Sqrt(float64(n)) }

func (l *tensorList) blocks(prefix string, width, layers, mlp int, layerScale bool) {
	deep := rsqrt(width) * rsqrt(2*layers)
	for i := range layers {
		p := fmt.Sprintf("%s%d.", prefix, i)
		l.norm(p+"ln_1", width)
		l.add(p+"attn.in_proj_weight", 0, rsqrt(width), 3*width, width)
		l.add(p+"attn.in_proj_bias", 0, 0.01, 3*width)
		l.linear(p+"attn.out_proj", width, width, deep)
		l.norm(p+"ln_2", width)
		l.linear(p+"mlp.c_fc", width, mlp, rsqrt(2*width))
		l.linear(p+"mlp.c_proj", mlp, width, deep)
		if layerScale {
			l.add(p+"ls_1.gamma", 0.5, 0.1, width)
			l.add(p+"ls_2.gamma", 0.5, 0.1, width)
		}
	}
}

// randomTensors lists what a network of this architecture holds.
func randomTensors(a registry.Architecture) ([]randomTensor, error) {
	l := &tensorList{}
	v, t := a.Vision, a.Text
	logScale := math.Log(100)
	l.add("logit_scale", logScale, 0)
	l.add("positional_embedding", 0, 0.01, t.Context, t.Width)
	l.add("token_embedding.weight", 0, 0.02, t.Vocab, t.Width)
	l.add("text_projection", 0, rsqrt(t.Width), t.Width, a.EmbedDim)
	l.blocks("transformer.resblocks.", t.Width, t.Layers, 4*t.Width, false)
	l.norm("ln_final", t.Width)

	var stages []int
	if json.Unmarshal(v.Layers, &stages) == nil {
		if len(stages) != 4 {
			return nil, fmt.Errorf("a ResNet has 4 stages, not %d", len(stages))
		}
		l.resnet(v, stages, a.EmbedDim)
		return l.tensors, nil
	}
	var layers int
	if err := json.Unmarshal(v.Layers, &layers); err != nil || v.Patch == nil {
		return nil, fmt.Errorf("neither a ViT nor a ResNet: layers %s", v.Layers)
	}
	patch, grid := *v.Patch, v.ImageSize / *v.Patch
	mlp := 4 * v.Width
	if v.MLPRatio != 0 {
		mlp = int(float64(v.Width) * v.MLPRatio)
	}
	l.add("visual.class_embedding", 0, rsqrt(v.Width), v.Width)
	l.add("visual.positional_embedding", 0, rsqrt(v.Width), grid*grid+1, v.Width)
	l.add("visual.proj", 0, rsqrt(v.Width), v.Width, a.EmbedDim)
	l.add("visual.conv1.weight", 0, rsqrt(3*patch*patch), v.Width, 3, patch, patch)
	l.norm("visual.ln_pre", v.Width)
	l.norm("visual.ln_post", v.Width)
	l.blocks("visual.transformer.resblocks.", v.Width, layers, mlp, v.LSInit != nil)
	return l.tensors, nil
}

// convolution with its batch norm, scaled to keep the variance through the ReLU behind it.
func (l *tensorList) convolution(conv, norm string, from, to, side int, gain float64) {
	l.add(conv+".weight", 0, math.Sqrt(2)*rsqrt(from*side*side), to, from, side, side)
	l.add(norm+".weight", gain, 0.05, to)
	l.add(norm+".bias", 0, 0.05, to)
	l.add(norm+".running_mean", 0, 0.05, to)
	l.add(norm+".running_var", 1, 0.05, to)
}

func (l *tensorList) resnet(v registry.Vision, stages []int, dim int) {
	half := v.Width / 2
	l.convolution("visual.conv1", "visual.bn1", 3, half, 3, 1)
	l.convolution("visual.conv2", "visual.bn2", half, half, 3, 1)
	l.convolution("visual.conv3", "visual.bn3", half, v.Width, 3, 1)
	channels := v.Width
	for stage, blocks := range stages {
		planes := v.Width << stage
		for i := range blocks {
			p := fmt.Sprintf("visual.layer%d.%d.", stage+1, i)
			l.convolution(p+"conv1", p+"bn1", channels, planes, 1, 1)
			l.convolution(p+"conv2", p+"bn2", planes, planes, 3, 1)
			// The branch is added to the shortcut: a small gain keeps deep stages in range.
			l.convolution(p+"conv3", p+"bn3", planes, 4*planes, 1, 0.3)
			if i == 0 {
				l.convolution(p+"downsample.0", p+"downsample.1", channels, 4*planes, 1, 1)
			}
			channels = 4 * planes
		}
	}
	grid := v.ImageSize / 32
	const prefix = "visual.attnpool."
	l.add(prefix+"positional_embedding", 0, rsqrt(channels), grid*grid+1, channels)
	for _, part := range []string{"q_proj", "k_proj", "v_proj"} {
		l.linear(prefix+part, channels, channels, rsqrt(channels))
	}
	l.linear(prefix+"c_proj", channels, dim, rsqrt(channels))
}
