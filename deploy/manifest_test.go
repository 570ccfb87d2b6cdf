package deploy

// manifest is a Kubernetes object, as far as ours have them: a field that is not here is
// a typing error, or a reason to add it.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Labels      map[string]string `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Data map[string]string `yaml:"data"` // of a ConfigMap
	Spec spec              `yaml:"spec"`
}

// spec has the fields of all kinds.
type spec struct {
	// Of workloads.
	ServiceName          string         `yaml:"serviceName"`
	Replicas             int            `yaml:"replicas"`
	PodManagementPolicy  string         `yaml:"podManagementPolicy"`
	Strategy             map[string]any `yaml:"strategy"`
	Selector             selector       `yaml:"selector"`
	VolumeClaimTemplates []struct {
		Metadata struct {
			Name string `yaml:"name"`
		} `yaml:"metadata"`
		Spec map[string]any `yaml:"spec"`
	} `yaml:"volumeClaimTemplates"`
	Template struct {
		Metadata struct {
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"metadata"`
		Spec pod `yaml:"spec"`
	} `yaml:"template"`
	// Of services.
	ClusterIP                string `yaml:"clusterIP"`
	PublishNotReadyAddresses bool   `yaml:"publishNotReadyAddresses"`
	Ports                    []struct {
		Name       string `yaml:"name"`
		Port       int    `yaml:"port"`
		TargetPort string `yaml:"targetPort"`
		Protocol   string `yaml:"protocol"`
	} `yaml:"ports"`
	// Of disruption budgets.
	MaxUnavailable int `yaml:"maxUnavailable"`
	MinAvailable   int `yaml:"minAvailable"`
	// Of network policies.
	PodSelector selector   `yaml:"podSelector"`
	PolicyTypes []string   `yaml:"policyTypes"`
	Ingress     []gateRule `yaml:"ingress"`
	Egress      []gateRule `yaml:"egress"`
}

// selector is one by labels, or a service's, which is the labels themselves.
type selector map[string]any

func (s selector) labels() map[string]string {
	labels := map[string]string{}
	from := map[string]any(s)
	if match, ok := s["matchLabels"].(selector); ok {
		from = match
	} else if match, ok := s["matchLabels"].(map[string]any); ok {
		from = match
	}
	for name, value := range from {
		labels[name], _ = value.(string)
	}
	return labels
}

type gateRule struct {
	From, To []struct {
		PodSelector       selector `yaml:"podSelector"`
		NamespaceSelector selector `yaml:"namespaceSelector"`
	}
	Ports []struct {
		Port     any    `yaml:"port"`
		Protocol string `yaml:"protocol"`
	}
}

type pod struct {
	AutomountServiceAccountToken  *bool            `yaml:"automountServiceAccountToken"`
	TerminationGracePeriodSeconds int              `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               podSecurity      `yaml:"securityContext"`
	Affinity                      map[string]any   `yaml:"affinity"`
	TopologySpreadConstraints     []map[string]any `yaml:"topologySpreadConstraints"`
	Containers                    []container      `yaml:"containers"`
	Volumes                       []struct {
		Name      string                `yaml:"name"`
		EmptyDir  *struct{}             `yaml:"emptyDir"`
		ConfigMap struct{ Name string } `yaml:"configMap"`
		Secret    struct {
			SecretName  string `yaml:"secretName"`
			DefaultMode int    `yaml:"defaultMode"`
		} `yaml:"secret"`
	} `yaml:"volumes"`
}

type podSecurity struct {
	RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
	RunAsUser      int                   `yaml:"runAsUser"`
	RunAsGroup     int                   `yaml:"runAsGroup"`
	FSGroup        int                   `yaml:"fsGroup"`
	SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
}

type container struct {
	Name    string   `yaml:"name"`
	Image   string   `yaml:"image"`
	Args    []string `yaml:"args"`
	EnvFrom []struct {
		ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
	} `yaml:"envFrom"`
	Env []struct {
		Name      string `yaml:"name"`
		Value     string `yaml:"value"`
		ValueFrom struct {
			SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
			FieldRef     struct {
				FieldPath string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
		} `yaml:"valueFrom"`
	} `yaml:"env"`
	Ports []struct {
		Name          string `yaml:"name"`
		ContainerPort int    `yaml:"containerPort"`
		Protocol      string `yaml:"protocol"`
	} `yaml:"ports"`
	StartupProbe   probe `yaml:"startupProbe"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Resources      struct {
		Requests, Limits map[string]string
	} `yaml:"resources"`
	SecurityContext struct {
		AllowPrivilegeEscalation *bool                   `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool                    `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string } `yaml:"capabilities"`
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string `yaml:"name"`
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`

	PeriodSeconds    int `yaml:"periodSeconds"`
	TimeoutSeconds   int `yaml:"timeoutSeconds"`
	FailureThreshold int `yaml:"failureThreshold"`
}
