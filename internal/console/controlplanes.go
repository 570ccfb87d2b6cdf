package console

import (
	"net/http"
	"strings"
	"time"
)

const controlPlanesPath = "/v2/control-planes"

func controlPlaneRoutes() []route {
	return []route{
		{"GET /control-planes", platform, showControlPlanes},
		{"GET /control-planes/new", platform, newControlPlane},
		{"POST /control-planes", platform, createControlPlane},
		{"GET /control-planes/{id}", platform, showControlPlane},
		{"POST /control-planes/{id}", platform, changeControlPlane},
		{"POST /control-planes/{id}/delete", platform, deleteControlPlane},
	}
}

// controlPlane is what the API shows of one.
type controlPlane struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Labels      map[string]string `json:"labels"`
	Config      struct {
		Endpoint    string `json:"control_plane_endpoint"`
		ClusterType string `json:"cluster_type"`
		AuthType    string `json:"auth_type"`
	} `json:"config"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// clusterTypes are those that the API knows, in words.
var clusterTypes = []option{
	{Value: "CLUSTER_TYPE_CONTROL_PLANE", Label: "Gateway"},
	{Value: "CLUSTER_TYPE_CONTROL_PLANE_GROUP", Label: "Group of control planes"},
	{Value: "CLUSTER_TYPE_K8S_INGRESS_CONTROLLER", Label: "Kubernetes ingress controller"},
	{Value: "CLUSTER_TYPE_SERVERLESS", Label: "Serverless"},
	{Value: "CLUSTER_TYPE_SERVERLESS_V1", Label: "Serverless, version 1"},
	{Value: "CLUSTER_TYPE_KAFKA_NATIVE_EVENT_PROXY", Label: "Kafka event proxy"},
}

// Kind is the cluster type in words.
func (c controlPlane) Kind() string {
	for _, t := range clusterTypes {
		if t.Value == c.Config.ClusterType {
			return t.Label
		}
	}
	return c.Config.ClusterType
}

// chosen are the options, of which the one with the value is selected.
func chosen(list []option, value string) []option {
	list = append([]option(nil), list...)
	for i := range list {
		list[i].Selected = list[i].Value == value
	}
	return list
}

// controlPlanesView lists them.
type controlPlanesView struct {
	Rows     []controlPlaneRow
	Columns  []sortedColumn
	MayMake  bool
	Filtered bool
	Regions  []option
	Types    []option

	Region, Name, Label, Type, Sort string // as in the address
	Problem                         *problem
	pages
}

type controlPlaneRow struct {
	controlPlane
	Chips   []chip
	Address string
}

// sortedColumn is the head of a column by which the list can be sorted.
type sortedColumn struct {
	Label, Address string
	Sorted         string // as aria-sort has it
}

// At is the address of the list with other values for some parameters.
func (c controlPlanesView) At(pairs ...string) string {
	return addressOf("/control-planes", append([]string{
		"region", c.Region, "name", c.Name, "label", c.Label, "type", c.Type, "sort", c.Sort}, pairs...)...)
}

// All is the address of the list without a filter, and New that of the form that
// makes one.
func (c controlPlanesView) All() string { return c.At("name", "", "label", "", "type", "") }
func (c controlPlanesView) New() string { return addressOf("/control-planes/new", "region", c.Region) }

func showControlPlanes(v *visit) error {
	view := controlPlanesView{Region: v.enterRegion(), Name: v.query("name"), Label: v.query("label"), Type: v.query("type"), Sort: v.query("sort")}
	view.Filtered = view.Name != "" || view.Label != "" || view.Type != ""
	view.Columns, view.Types = view.columns(), chosen(clusterTypes, view.Type)
	me, err := v.self()
	if err != nil {
		return err
	}
	if view.Regions, err = v.regionOptions(me); err != nil {
		return err
	}
	view.MayMake = me.administers(controlPlanes, "")
	query := filters("filter[name][contains]", view.Name, "labels", view.Label, "filter[cluster_type][eq]", view.Type, "sort", view.Sort)
	list, pages, err := listPage[controlPlane](v, controlPlanesPath, query, func(page string) string { return view.At("page", page) })
	if refusedWith(err, http.StatusBadRequest) { // the address asks for what cannot be
		view.Problem = v.problemOf(err)
		return v.showStatus("controlplanes", http.StatusBadRequest, view)
	}
	if err != nil {
		return err
	}
	view.pages = pages
	for _, c := range list {
		at := func(label string) string { return view.At("label", label) }
		view.Rows = append(view.Rows, controlPlaneRow{c, chips(c.Labels, at), addressOf(pathOf("control-planes", c.ID), "region", view.Region)})
	}
	return v.show("controlplanes", view)
}

// columns are the heads: each sorts by its column, or the other way round if the
// list is sorted by it already.
func (c controlPlanesView) columns() []sortedColumn {
	var list []sortedColumn
	for _, column := range []struct{ label, by string }{{"Name", "name"}, {"Made", "created_at"}, {"Changed", "updated_at"}} {
		head := sortedColumn{Label: column.label, Sorted: "none"}
		to := column.by
		switch c.Sort {
		case column.by:
			head.Sorted, to = "ascending", column.by+" desc"
		case column.by + " desc":
			head.Sorted = "descending"
		}
		head.Address = c.At("sort", to)
		list = append(list, head)
	}
	return list
}

// controlPlaneView is the form of one, new or not.
type controlPlaneView struct {
	controlPlane
	refusal
	Region     string
	LabelsText string
	Types      []option
	MayEdit    bool
}

// New says that it is not made yet.
func (c controlPlaneView) New() bool { return c.ID == "" }

// Self is the address of the control plane's page, or of something on it.
func (c controlPlaneView) Self(rest ...string) string {
	return addressOf(pathOf(append([]string{"control-planes", c.ID}, rest...)...), "region", c.Region)
}

// List is the address of the list that it is on.
func (c controlPlaneView) List() string { return addressOf("/control-planes", "region", c.Region) }

func newControlPlane(v *visit) error {
	return v.show("controlplane", controlPlaneView{Region: v.enterRegion(), Types: clusterTypes, MayEdit: true})
}

// writtenControlPlane is the form as it was sent.
func (v *visit) writtenControlPlane() (view controlPlaneView, labels map[string]string, bad refusal) {
	view = controlPlaneView{Region: v.enterRegion(), LabelsText: v.form("labels"), MayEdit: true}
	view.ID, view.Name, view.Description = v.r.PathValue("id"), v.form("name"), v.form("description")
	view.Config.ClusterType = v.form("cluster_type")
	view.Types = chosen(clusterTypes, view.Config.ClusterType)
	labels, err := readLabels(view.LabelsText)
	if err != nil {
		bad = refuseField("labels", sentence(err.Error()))
	}
	return view, labels, bad
}

// controlPlaneFields are the names of the form's fields, as the API has them.
var controlPlaneFields = []string{"name", "description", "labels", "cluster_type"}

func createControlPlane(v *visit) error {
	view, labels, bad := v.writtenControlPlane()
	if bad.status == 0 {
		body := map[string]any{"name": view.Name, "description": view.Description, "labels": labels}
		if view.Config.ClusterType != "" {
			body["cluster_type"] = view.Config.ClusterType
		}
		var made controlPlane
		err := v.send(v.ctx(), platformHalf, http.MethodPost, controlPlanesPath, body, &made)
		if err == nil {
			return v.redirect(view.List(), "The control plane "+made.Name+" is made.")
		}
		if bad, err = refusalOf(err, controlPlaneFields...); err != nil {
			return err
		}
	}
	view.refusal = bad
	return v.showStatus("controlplane", bad.status, view)
}

func showControlPlane(v *visit) error {
	view := controlPlaneView{Region: v.enterRegion()}
	if err := v.get(v.ctx(), platformHalf, controlPlanesPath+pathOf(v.r.PathValue("id")), nil, &view.controlPlane); err != nil {
		return err
	}
	me, err := v.self()
	if err != nil {
		return err
	}
	view.MayEdit, view.LabelsText = me.administers(controlPlanes, view.ID), labelsText(view.Labels)
	return v.show("controlplane", view)
}

func changeControlPlane(v *visit) error {
	view, labels, bad := v.writtenControlPlane()
	path := controlPlanesPath + pathOf(view.ID)
	if bad.status == 0 {
		body := map[string]any{"name": view.Name, "description": view.Description, "labels": labels}
		err := v.send(v.ctx(), platformHalf, http.MethodPatch, path, body, nil)
		if err == nil {
			return v.redirect(view.Self(), "The changes are saved.")
		}
		if bad, err = refusalOf(err, controlPlaneFields...); err != nil {
			return err
		}
	}
	var kept controlPlane
	if err := v.get(v.ctx(), platformHalf, path, nil, &kept); err != nil {
		return err
	}
	view.Config, view.CreatedAt, view.UpdatedAt, view.refusal = kept.Config, kept.CreatedAt, kept.UpdatedAt, bad
	return v.showStatus("controlplane", bad.status, view)
}

func deleteControlPlane(v *visit) error {
	view := controlPlaneView{Region: v.enterRegion()}
	if err := v.send(v.ctx(), platformHalf, http.MethodDelete, controlPlanesPath+pathOf(v.r.PathValue("id")), nil, nil); err != nil {
		return err
	}
	return v.redirect(view.List(), strings.TrimSpace("The control plane "+v.form("title"))+" is deleted.")
}
